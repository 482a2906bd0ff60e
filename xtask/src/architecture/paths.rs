//! Finds the modules of its own crate that a Rust file uses.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::vec::IntoIter;

use anyhow::anyhow;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The names that a file uses, without those in tests.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Names in the crate's root: `x` of `crate::x`, or of `super::x` directly below the root.
    pub(super) roots: BTreeSet<String>,
    /// Imports, as module and name: `x` and `y` of `use x::y;`.
    pub(super) uses: Vec<(String, String)>,
    /// Modules in separate files that are only for tests.
    pub(super) tests: Vec<String>,
}

/// Reads a file that is `depth` modules below the root of its crate.
///
/// # Errors
/// When it is not valid Rust.
pub(super) fn named(text: &str, depth: usize) -> anyhow::Result<Named> {
    let tokens: TokenStream = text.parse().map_err(|error| anyhow!("{error}"))?;
    let mut named = Named::default();
    walk(tokens, depth, &mut named);
    Ok(named)
}

type Tokens = Peekable<IntoIter<TokenTree>>;

fn tokens(stream: TokenStream) -> Tokens {
    stream.into_iter().collect::<Vec<_>>().into_iter().peekable()
}

fn walk(stream: TokenStream, depth: usize, named: &mut Named) {
    let mut rest = tokens(stream);
    let mut after_dollar = false;
    while let Some(token) = rest.next() {
        let dollar = std::mem::replace(&mut after_dollar, is(&token, '$'));
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' && is_cfg_test(rest.peek()) => {
                skip_item(&mut rest, named);
            }
            TokenTree::Group(group) => walk(group.stream(), depth, named),
            TokenTree::Ident(ident) if ident == "use" => {
                let statement: TokenStream = item(&mut rest).into_iter().collect();
                named.uses.extend(imports(statement.clone()));
                walk(statement, depth, named);
            }
            TokenTree::Ident(ident) if ident == "crate" && !dollar => named.roots.extend(heads(&mut rest)),
            TokenTree::Ident(ident) if ident == "super" && depth > 0 => named.roots.extend(above(&mut rest, depth)),
            _ => {}
        }
    }
}

fn is(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

/// Whether the tokens are those of `[cfg(test)]`.
fn is_cfg_test(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.stream().to_string().replace(' ', "") == "cfg(test)")
}

/// The tokens up to the semicolon. Braces in an import are part of its path.
fn item(rest: &mut Tokens) -> Vec<TokenTree> {
    rest.by_ref().take_while(|token| !is(token, ';')).collect()
}

/// Skips an item for tests. If it is a module in a separate file, records its name.
fn skip_item(rest: &mut Tokens, named: &mut Named) {
    let mut words: Vec<String> = Vec::new();
    for token in rest.by_ref() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ';' => break,
            TokenTree::Group(group)
                if group.delimiter() == Delimiter::Brace && words.iter().all(|word| word != "use") =>
            {
                return;
            }
            TokenTree::Ident(ident) => words.push(ident.to_string()),
            _ => {}
        }
    }
    if let [.., keyword, name] = &words[..]
        && keyword == "mod"
    {
        named.tests.push(name.clone());
    }
}

/// The first name after `crate` or `super`, or the first names of each path in a group.
fn heads(rest: &mut Tokens) -> Vec<String> {
    if !skip_colons(rest) {
        return Vec::new();
    }
    match rest.peek() {
        Some(TokenTree::Ident(ident)) => vec![ident.to_string()],
        Some(TokenTree::Group(group)) => {
            let mut heads = Vec::new();
            let mut begins = true;
            for token in group.stream() {
                match &token {
                    TokenTree::Ident(ident) if begins => heads.push(ident.to_string()),
                    _ => {}
                }
                begins = is(&token, ',');
            }
            heads
        }
        _ => Vec::new(),
    }
}

/// As [`heads`], if the number of `super` leads to the root.
fn above(rest: &mut Tokens, depth: usize) -> Vec<String> {
    let mut left = depth - 1;
    loop {
        let heads = heads(rest);
        match &heads[..] {
            [name] if name == "super" && left > 0 => {
                rest.next();
                left -= 1;
            }
            _ if left == 0 => return heads,
            _ => return Vec::new(),
        }
    }
}

fn skip_colons(rest: &mut Tokens) -> bool {
    rest.next_if(|token| is(token, ':')).is_some() && rest.next_if(|token| is(token, ':')).is_some()
}

/// The first module of an import, with every name in it.
fn imports(statement: TokenStream) -> Vec<(String, String)> {
    let mut names = Vec::new();
    collect(statement, &mut names);
    let mut names = names.into_iter().skip_while(|name| name == "crate" || name == "self");
    let module = names.next().unwrap_or_default();
    names.map(|name| (module.clone(), name)).collect()
}

fn collect(stream: TokenStream, names: &mut Vec<String>) {
    for token in stream {
        match token {
            TokenTree::Ident(ident) => names.push(ident.to_string()),
            TokenTree::Group(group) => collect(group.stream(), names),
            _ => {}
        }
    }
}
