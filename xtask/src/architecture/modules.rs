//! Checks that the top-level modules of a crate have no dependency cycle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::Context;

use super::paths::{self, Named};
use super::workspace::Source;

/// The modules that `store` may use: the types of its columns. It is the lowest layer.
const BELOW_STORE: [&str; 2] = ["role", "values"];

/// The modules that each module uses, with a file that uses them.
type Graph = BTreeMap<String, BTreeMap<String, String>>;

/// # Errors
/// When a file is not valid Rust.
pub(super) fn check(sources: &[Source]) -> anyhow::Result<Vec<String>> {
    let mut crates: BTreeMap<&str, Vec<(Vec<&str>, &Source)>> = BTreeMap::new();
    for source in sources {
        if let Some((folder, path)) = source.path.split_once("/src/") {
            crates.entry(folder).or_default().push((module(path), source));
        }
    }
    let mut findings = Vec::new();
    for (folder, files) in crates {
        let graph = graph(&files)?;
        findings.extend(cycles(&graph).iter().map(|cycle| describe(folder, cycle)));
        findings.extend(above_store(folder, &graph));
    }
    Ok(findings)
}

fn above_store(folder: &str, graph: &Graph) -> Vec<String> {
    let named = graph.get("store").into_iter().flatten();
    let wrong = named.filter(|(module, _)| !BELOW_STORE.contains(&module.as_str()));
    wrong
        .map(|(module, file)| {
            format!("{folder}/src/{file} names {module}: a store takes and gives rows, do the rest above it instead")
        })
        .collect()
}

/// The module path of a file below `src`. The path of the root is empty.
fn module(path: &str) -> Vec<&str> {
    let mut names: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    if matches!(names[..], [.., "mod"] | ["lib" | "main"]) {
        names.pop();
    }
    names
}

fn graph(files: &[(Vec<&str>, &Source)]) -> anyhow::Result<Graph> {
    let mut named = Vec::new();
    for (module, source) in files {
        let text = paths::named(&source.text, module.len()).with_context(|| source.path.clone())?;
        named.push((module, source, text));
    }
    let tests: BTreeSet<Vec<&str>> = named
        .iter()
        .flat_map(|(module, _, Named { tests, .. })| {
            tests.iter().map(|name| module.iter().copied().chain([&**name]).collect())
        })
        .collect();
    let is_test = |module: &[&str]| (1..=module.len()).any(|length| tests.contains(&module[..length]));
    let production = || named.iter().filter(|(module, _, _)| !is_test(module));
    let modules: BTreeSet<&str> = production().filter_map(|(module, _, _)| module.first().copied()).collect();
    // Names that the root imports from a module may be used through the root, so they count as that module's.
    let exported: BTreeMap<&str, &str> = production()
        .filter(|(module, _, _)| module.is_empty())
        .flat_map(|(_, _, Named { uses, .. })| uses)
        .filter(|(module, _)| modules.contains(&**module))
        .map(|(module, name)| (&**name, &**module))
        .collect();
    let mut graph = Graph::new();
    for (module, source, Named { roots, .. }) in production() {
        let Some(from) = module.first() else { continue };
        for name in roots {
            let to = modules.get(&**name).or_else(|| exported.get(&**name));
            if let Some(to) = to.filter(|to| *to != from) {
                let file = source.path.rsplit_once("/src/").map_or(&*source.path, |(_, file)| file);
                let below = graph.entry((*from).to_owned()).or_default();
                below.entry((*to).to_owned()).or_insert_with(|| file.to_owned());
            }
        }
    }
    Ok(graph)
}

/// The shortest cycle through each module, without modules that are in a cycle found before.
fn cycles(graph: &Graph) -> Vec<Vec<(String, String)>> {
    let mut found: Vec<Vec<(String, String)>> = Vec::new();
    for start in graph.keys() {
        if found.iter().flatten().all(|(module, _)| module != start) {
            found.extend(shortest_cycle(graph, start));
        }
    }
    found
}

/// The modules from `start` back to `start`, each with the file that uses the next one.
fn shortest_cycle(graph: &Graph, start: &str) -> Option<Vec<(String, String)>> {
    let mut before: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(module) = queue.pop_front() {
        for (next, file) in graph.get(module).into_iter().flatten() {
            if !before.contains_key(&**next) {
                before.insert(next, (module, file));
                queue.push_back(next);
            }
        }
    }
    let mut cycle = Vec::new();
    let mut at = start;
    loop {
        let (module, file) = before.get(at)?;
        cycle.push(((*module).to_owned(), (*file).to_owned()));
        at = module;
        if at == start {
            cycle.reverse();
            return Some(cycle);
        }
    }
}

fn describe(folder: &str, cycle: &[(String, String)]) -> String {
    let start = cycle.first().map_or("", |(module, _)| module);
    let modules: Vec<&str> = cycle.iter().map(|(module, _)| &**module).chain([start]).collect();
    let files: Vec<&str> = cycle.iter().map(|(_, file)| &**file).collect();
    format!(
        "{folder} has a cycle of modules, {} (in {}): move what both sides need into a module below them instead",
        modules.join(" -> "),
        files.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(files: &[(&str, &str)]) -> Vec<String> {
        let source =
            |(path, text): &(&str, &str)| Source { path: format!("shop/src/{path}"), text: (*text).to_owned() };
        check(&files.iter().map(source).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn modules_that_name_each_other_are_found_with_the_files_that_do() {
        let findings = told(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::B;"),
            ("b/mod.rs", "mod inner;"),
            ("b/inner.rs", "fn f() { super::super::c::g(); }"),
            ("c.rs", "use crate::{a::A, d};"),
        ]);
        let expected = "shop has a cycle of modules, a -> b -> c -> a (in a.rs, b/inner.rs, c.rs): move what both sides need \
                        into a module below them instead";
        assert_eq!(findings, [expected]);
    }

    #[test]
    fn a_name_that_the_root_hands_on_is_its_modules() {
        let findings = told(&[
            ("lib.rs", "mod a; mod b; pub use a::{A, Other as Another};"),
            ("a.rs", "use crate::b;"),
            ("b.rs", "use crate::Another;"),
        ]);
        assert_eq!(findings.len(), 1, "{findings:?}");
    }

    #[test]
    fn a_store_that_names_what_is_above_it_is_found() {
        let findings = told(&[
            ("lib.rs", "mod schedule; mod store; mod values;"),
            ("schedule.rs", ""),
            ("store/window.rs", "use crate::schedule::Plan; use crate::values::State;"),
            ("values.rs", ""),
        ]);
        let expected =
            "shop/src/store/window.rs names schedule: a store takes and gives rows, do the rest above it instead";
        assert_eq!(findings, [expected]);
    }

    #[test]
    fn tests_comments_and_what_points_down_are_fine() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use b::B; #[cfg(test)] mod whole; fn of_root() {}"),
            ("a.rs", "use super::b; use crate::of_root; mod inner { } #[cfg(test)] mod tests;"),
            ("a/tests.rs", "use crate::b; use crate::whole;"),
            (
                "b.rs",
                "// crate::a\nconst S: &str = \"crate::a\"; use crate::b::x; #[cfg(test)] mod tests { use crate::a; }",
            ),
            ("b/part.rs", "use super::a; #[cfg(test)] use crate::a::A; fn f() {}"),
            ("whole.rs", "use crate::a;"),
        ];
        assert_eq!(told(&files), Vec::<String>::new());
    }
}
