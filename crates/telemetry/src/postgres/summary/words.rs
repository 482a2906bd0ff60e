//! The words of a statement.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Word(&'a str),
    Open,
    Close,
    Comma,
}

/// The words of a statement outside of literals and comments, and what separates them.
pub(super) struct Words<'a> {
    pub(super) rest: &'a str,
}

impl Words<'_> {
    /// Whether a parenthesis opens next.
    pub(super) fn at_parenthesis(&self) -> bool {
        self.rest.trim_start().starts_with('(')
    }

    /// Leaves the text up to and including `end`, or all of it.
    fn skip_past(&mut self, end: &str) {
        self.rest = self.rest.split_once(end).map_or("", |(_, rest)| rest);
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '"');
        loop {
            let first = self.rest.chars().next()?;
            if is_word(first) {
                let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at(end);
                self.rest = rest;
                return Some(Token::Word(word));
            }
            self.skip(first.len_utf8());
            match first {
                '(' => return Some(Token::Open),
                ')' => return Some(Token::Close),
                ',' => return Some(Token::Comma),
                '\'' => self.skip_past("'"),
                '-' if self.rest.starts_with('-') => self.skip_past("\n"),
                '/' if self.rest.starts_with('*') => self.skip_past("*/"),
                '$' if self.rest.starts_with('$') => {
                    self.skip(1);
                    self.skip_past("$$");
                }
                _ => {}
            }
        }
    }
}
