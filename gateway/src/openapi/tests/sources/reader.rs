use std::collections::{BTreeMap, BTreeSet};

use service_kit::error::Reason;
use syn::visit::Visit;

use super::{Body, Function};
use crate::problem::ProblemType;

/// Reads the functions of one file.
pub(super) struct Reader<'a> {
    pub(super) krate: &'static str,
    pub(super) module: Vec<String>,
    pub(super) client_of: Vec<String>,
    pub(super) functions: &'a mut Vec<Function>,
}

impl Reader<'_> {
    pub(super) fn items(&mut self, items: &[syn::Item]) {
        let mut imports = BTreeMap::new();
        for item in items {
            if let syn::Item::Use(item) = item {
                import(&mut imports, &[], &item.tree);
            }
        }
        for item in items {
            match item {
                syn::Item::Fn(item) => self.function(None, None, &item.sig, &item.block, &imports),
                syn::Item::Impl(item) => {
                    let of_trait = item.trait_.as_ref().map(|(_, path, _)| last(path));
                    let owner = name_of(&item.self_ty);
                    for item in &item.items {
                        let syn::ImplItem::Fn(item) = item else { continue };
                        if of_trait.as_deref() == Some("DomainError") {
                            self.variants(owner.as_deref(), &item.block);
                        } else {
                            self.function(owner.clone(), of_trait.clone(), &item.sig, &item.block, &imports);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn function(
        &mut self,
        owner: Option<String>,
        of_trait: Option<String>,
        signature: &syn::Signature,
        block: &syn::Block,
        imports: &BTreeMap<String, Vec<String>>,
    ) {
        let mut reading = Reading::new(owner.as_deref(), imports);
        for input in &signature.inputs {
            let syn::FnArg::Typed(input) = input else { continue };
            let place = place_of(&input.ty, imports);
            if let (syn::Pat::Ident(name), Some(place)) = (&*input.pat, &place) {
                let is_generic =
                    signature.generics.type_params().any(|generic| place[..] == [generic.ident.to_string()]);
                if !is_generic {
                    reading.types.insert(name.ident.to_string(), place.clone());
                }
            }
            // What a handler takes is read from the request.
            if let (Some("routes"), Some(place)) = (self.module.first().map(String::as_str), place) {
                let readers = ["from_request", "from_request_parts"].map(str::to_owned);
                reading.body.paths.extend(readers.map(|reader| [&place[..], &[reader]].concat()));
            }
        }
        reading.visit_block(block);
        let body = reading.body;
        self.add(owner, of_trait, signature.ident.to_string(), signature.receiver().is_some(), body);
    }

    /// The reasons of an error's variants, as if the variants were functions.
    fn variants(&mut self, owner: Option<&str>, block: &syn::Block) {
        struct Arms(Vec<(Vec<String>, BTreeSet<&'static str>)>);
        impl Visit<'_> for Arms {
            fn visit_arm(&mut self, arm: &syn::Arm) {
                let imports = BTreeMap::new();
                let mut reading = Reading::new(None, &imports);
                reading.visit_expr(&arm.body);
                let mut variants = Variants(Vec::new());
                variants.visit_pat(&arm.pat);
                self.0.push((variants.0, reading.body.problems));
            }
        }
        struct Variants(Vec<String>);
        impl Visit<'_> for Variants {
            fn visit_path(&mut self, path: &syn::Path) {
                self.0.push(last(path));
            }
        }
        let mut arms = Arms(Vec::new());
        arms.visit_block(block);
        for (variants, problems) in arms.0 {
            for variant in variants {
                let body = Body { problems: problems.clone(), ..Body::default() };
                self.add(owner.map(str::to_owned), None, variant, false, body);
            }
        }
    }

    fn add(&mut self, owner: Option<String>, of_trait: Option<String>, name: String, has_self: bool, body: Body) {
        let (krate, module, client_of) = (self.krate, self.module.clone(), self.client_of.clone());
        self.functions.push(Function { krate, module, owner, of_trait, name, has_self, client_of, body });
    }
}

/// Collects what stands in a function's block. What is compared with, or stands in a pattern, is not made.
struct Reading<'a> {
    owner: Option<&'a str>,
    imports: &'a BTreeMap<String, Vec<String>>,
    /// Of the parameters.
    types: BTreeMap<String, Vec<String>>,
    body: Body,
}

impl<'a> Reading<'a> {
    fn new(owner: Option<&'a str>, imports: &'a BTreeMap<String, Vec<String>>) -> Self {
        Self { owner, imports, types: BTreeMap::new(), body: Body::default() }
    }

    fn call(&mut self, receiver: &syn::Expr, method: String) {
        let of = match receiver {
            syn::Expr::Path(path) if path.path.is_ident("self") => Some(vec!["Self".to_owned()]),
            syn::Expr::Path(path) => path.path.get_ident().and_then(|name| self.types.get(&name.to_string())).cloned(),
            _ => None,
        };
        match of {
            Some(place) => self.body.paths.push([place, vec![method]].concat()),
            None => drop(self.body.methods.insert(method)),
        }
    }
}

impl Visit<'_> for Reading<'_> {
    fn visit_pat(&mut self, _: &syn::Pat) {}

    fn visit_expr_binary(&mut self, binary: &syn::ExprBinary) {
        self.visit_expr(&binary.left);
        if !matches!(binary.op, syn::BinOp::Eq(_) | syn::BinOp::Ne(_)) {
            self.visit_expr(&binary.right);
        }
    }

    fn visit_expr_method_call(&mut self, call: &syn::ExprMethodCall) {
        let arguments = call.turbofish.iter().flat_map(|turbofish| &turbofish.args);
        let parsed = arguments.filter_map(|argument| match argument {
            syn::GenericArgument::Type(parsed) => name_of(parsed),
            _ => None,
        });
        match (call.method == "parse").then(|| parsed.last()) {
            Some(Some(parsed)) => self.body.paths.push(vec![parsed, "from_str".to_owned()]),
            Some(None) => self.body.parses = true,
            None => self.call(&call.receiver, call.method.to_string()),
        }
        syn::visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_path(&mut self, path: &syn::ExprPath) {
        let path: Vec<_> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let Some(problem) = problem(self.owner, &path) {
            self.body.problems.insert(problem);
        } else {
            let imported = self.imports.get(&path[0]).map(|import| [import, &path[1..]].concat());
            self.body.paths.push(imported.unwrap_or(path));
        }
    }

    fn visit_macro(&mut self, call: &syn::Macro) {
        let arguments =
            call.parse_body_with(syn::punctuated::Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated);
        if !call.path.is_ident("matches") {
            arguments.iter().flatten().for_each(|argument| self.visit_expr(argument));
        }
    }
}

/// The name of the problem that a path stands for, such as `Reason::WrongRole` or `Problem::NOT_FOUND`.
fn problem(owner: Option<&str>, path: &[String]) -> Option<&'static str> {
    let [.., place, name] = path else { return None };
    match place.as_str() {
        "Reason" => {
            let reason = Reason::NAMED.iter().find(|reason| format!("{reason:?}") == *name);
            reason.map(|reason| ProblemType::of(*reason).name)
        }
        "Problem" | "ProblemType" => of_constant(name),
        "Self" if owner == Some("Problem") => of_constant(name),
        _ => None,
    }
}

/// A constant has the name of its type in capitals.
fn of_constant(name: &str) -> Option<&'static str> {
    let is_constant = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    is_constant.then(|| ProblemType::named(&name.to_lowercase().replace('_', "-")).unwrap().name)
}

/// Which names of a file come from elsewhere, with their paths.
fn import(imports: &mut BTreeMap<String, Vec<String>>, before: &[String], tree: &syn::UseTree) {
    let mut add = |name: &syn::Ident, path: &syn::Ident| {
        imports.insert(name.to_string(), [before, &[path.to_string()]].concat());
    };
    match tree {
        syn::UseTree::Path(path) => import(imports, &[before, &[path.ident.to_string()]].concat(), &path.tree),
        syn::UseTree::Group(group) => group.items.iter().for_each(|tree| import(imports, before, tree)),
        syn::UseTree::Name(name) => add(&name.ident, &name.ident),
        syn::UseTree::Rename(rename) => add(&rename.rename, &rename.ident),
        syn::UseTree::Glob(_) => {}
    }
}

/// The path of a type as it is known in all files, such as `crate::extract::Nurse`; none for what is no path.
fn place_of(of_type: &syn::Type, imports: &BTreeMap<String, Vec<String>>) -> Option<Vec<String>> {
    match of_type {
        syn::Type::Path(path) => {
            let path: Vec<_> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            Some(imports.get(&path[0]).map_or(path.clone(), |import| [import, &path[1..]].concat()))
        }
        syn::Type::Reference(reference) => place_of(&reference.elem, imports),
        _ => None,
    }
}

fn name_of(of_type: &syn::Type) -> Option<String> {
    match of_type {
        syn::Type::Path(path) => Some(last(&path.path)),
        syn::Type::Reference(reference) => name_of(&reference.elem),
        _ => None,
    }
}

fn last(path: &syn::Path) -> String {
    path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default()
}
