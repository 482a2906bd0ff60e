//! Which problems the functions of the services can make, read off their sources.
//!
//! Functions are told apart by their names, with the type or the module before them: enough for these sources, and never
//! too little. A call of a method leads to every method of that name in its crate, and what is parsed as something that is
//! not said is any type of the same folder.

mod reader;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use reader::Reader;

/// The crates through which a request may go, and may be refused.
const CRATES: [&str; 4] = ["gateway", "user-svc", "epro-svc", "data-svc"];

/// What has names of its own that are those of ours.
const FOREIGN: [&str; 4] = ["proto", "pb", "telemetry", "service_kit"];

/// Every function of the services.
pub(super) struct Sources(Vec<Function>);

/// A function that is not a test's.
struct Function {
    krate: &'static str,
    /// Folders and file, such as `["rpc", "save_report"]`.
    module: Vec<String>,
    /// The type or trait whose function it is.
    owner: Option<String>,
    /// The trait that it is an implementation of.
    of_trait: Option<String>,
    name: String,
    /// Whether it is a method.
    has_self: bool,
    /// gRPC services that the function's file is a client of, such as `DataService`.
    client_of: Vec<String>,
    body: Body,
}

/// What stands in a function.
#[derive(Default)]
struct Body {
    problems: BTreeSet<&'static str>,
    /// Functions and variants by their paths.
    paths: Vec<Vec<String>>,
    methods: BTreeSet<String>,
    /// Whether a text is parsed as something that is not said here.
    parses: bool,
}

impl Sources {
    pub(super) fn read() -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut functions = Vec::new();
        for krate in CRATES {
            let source = workspace.join(krate).join("src");
            for file in files(&source) {
                let text = std::fs::read_to_string(&file).unwrap();
                let module = file.strip_prefix(&source).unwrap().with_extension("");
                let module = module.iter().map(|part| part.to_str().unwrap().to_owned());
                let module = module.filter(|part| part != "mod" && part != "lib").collect();
                let client_of = ["UserService", "ReportService", "DataService"].map(str::to_owned).into_iter();
                let client_of = client_of.filter(|service| text.contains(&format!("{service}Client"))).collect();
                Reader { krate, module, client_of, functions: &mut functions }
                    .items(&syn::parse_file(&text).unwrap().items);
            }
        }
        Self(functions)
    }

    /// The problems that a route can answer with, whose handler has this name.
    pub(super) fn problems_of_route(&self, name: &str) -> BTreeSet<&'static str> {
        let is_route =
            |f: &Function| f.krate == "gateway" && f.module.first().is_some_and(|m| m == "routes") && f.name == name;
        let route = self.0.iter().position(is_route).unwrap_or_else(|| panic!("no route {name}"));
        let (mut next, mut seen, mut problems) = (vec![route], BTreeSet::new(), BTreeSet::new());
        while let Some(at) = next.pop() {
            if seen.insert(at) {
                problems.extend(&self.0[at].body.problems);
                next.extend(self.called_by(&self.0[at]));
            }
        }
        problems
    }

    fn called_by<'a>(&'a self, caller: &'a Function) -> impl Iterator<Item = usize> + 'a {
        let functions = self.0.iter().enumerate();
        functions.filter(|(_, callee)| caller.calls(callee)).map(|(at, _)| at)
    }
}

impl Function {
    fn calls(&self, callee: &Self) -> bool {
        if self.krate != callee.krate {
            // Over gRPC.
            return callee.of_trait.as_ref().is_some_and(|service| self.client_of.contains(service))
                && self.body.methods.contains(&callee.name);
        }
        (callee.has_self && self.body.methods.contains(&callee.name))
            || (self.body.parses && callee.name == "from_str" && self.folder() == callee.folder())
            || self.body.paths.iter().any(|path| self.names(path, callee))
    }

    fn folder(&self) -> Option<&[String]> {
        self.module.split_last().map(|(_, folder)| folder)
    }

    /// Whether a path in this function is that of another.
    fn names(&self, path: &[String], callee: &Self) -> bool {
        let Some((name, before)) = path.split_last() else { return false };
        let is_foreign = before.len() > 1 && FOREIGN.contains(&before[0].as_str());
        if *name != callee.name || is_foreign {
            return false;
        }
        match before.last().map(String::as_str) {
            // What is from elsewhere stands here with the path of its `use`.
            None => callee.owner.is_none() && self.module == callee.module,
            Some("Self") => callee.owner == self.owner,
            Some("super" | "crate" | "self") => callee.owner.is_none(),
            Some(place) => {
                callee.owner.as_deref() == Some(place)
                    || (callee.owner.is_none() && callee.module.iter().any(|module| module == place))
            }
        }
    }
}

/// Every file of sources below a folder, without those of tests, and without the table of the problems, which says what a
/// refusal without a reason ends up as.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|of| of == "rs") && !["tests.rs", "table.rs"].contains(&name) {
            files.push(path);
        }
    }
    files
}
