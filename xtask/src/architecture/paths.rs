//! What a Rust file names of its own crate.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::vec::IntoIter;

use anyhow::anyhow;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What a file names, without its tests.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Names that are looked up in the crate's root: `x` of `crate::x`, or of `super::x` right below the root.
    pub(super) roots: BTreeSet<String>,
    /// What is imported from which module: `x` and `y` of `use x::y;`.
    pub(super) uses: Vec<(String, String)>,
    /// Modules in files of their own that are for tests alone.
    pub(super) tests: Vec<String>,
}

/// Reads a file that is so many modules below the root of its crate.
///
/// # Errors
/// When it is no Rust.
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

/// Up to a semicolon or a body in braces; those of an import are a part of its path.
fn item(rest: &mut Tokens) -> Vec<TokenTree> {
    rest.by_ref().take_while(|token| !is(token, ';')).collect()
}

/// Passes over what is for tests, and remembers it where it is in a file of its own.
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

/// The first names of the paths after `crate` or `super`: one, or those of a group.
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

/// As [`heads`], where so many `super` lead to the root.
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

/// The module that an import begins with, and every name in it.
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
