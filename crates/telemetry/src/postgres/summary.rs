//! The operations of a statement and their tables: its low-cardinality name.

mod words;

use words::{Token, Words};

/// The length of the longest summary, by the conventions.
const LONGEST: usize = 255;

/// Operations and targets of a statement, such as `INSERT` and `shop.cart`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Summary<'a> {
    /// In the order of the text, sub-queries and common table expressions included.
    operations: Vec<Operation<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Operation<'a> {
    name: &'static str,
    targets: Vec<&'a str>,
}

impl<'a> Summary<'a> {
    /// Reads a statement's operations and targets off its text. Names of common table expressions and functions
    /// are no targets, and a `SELECT` without a target is left out beside others.
    pub(super) fn of(sql: &'a str) -> Self {
        let mut reader = Reader::default();
        let mut words = Words { rest: sql };
        while let Some(token) = words.next() {
            reader.take(token, words.at_parenthesis());
        }
        let mut operations = reader.operations;
        // A `SELECT` without a target reads a list, a function or a common table expression.
        if operations.iter().any(|operation| !operation.targets.is_empty()) {
            operations.retain(|operation| operation.name != "SELECT" || !operation.targets.is_empty());
        }
        Self { operations }
    }

    /// `INSERT shop.cart SELECT shop.item`, with as many of its parts as fit.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let parts = self
            .operations
            .iter()
            .flat_map(|operation| std::iter::once(operation.name).chain(operation.targets.iter().copied()));
        for part in parts {
            if text.len() + 1 + part.len() > LONGEST {
                break;
            }
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(part);
        }
        text
    }

    /// The operation, if there is only one.
    pub(super) fn operation(&self) -> Option<&'static str> {
        match &self.operations[..] {
            [only] => Some(only.name),
            _ => None,
        }
    }

    /// The table, if there is only one.
    pub(super) fn target(&self) -> Option<&'a str> {
        let mut targets = self.operations.iter().flat_map(|operation| &operation.targets);
        let first = targets.next()?;
        targets.all(|target| target == first).then_some(first)
    }

    /// The schema of the first table that names one.
    pub(super) fn schema(&self) -> Option<&'a str> {
        let mut targets = self.operations.iter().flat_map(|operation| &operation.targets);
        targets.find_map(|target| target.split_once('.')).map(|(schema, _)| schema)
    }
}

/// What the reader knows of the query inside one pair of parentheses.
#[derive(Debug, Default, Clone, Copy)]
struct Scope {
    /// Its operation, as an index.
    operation: Option<usize>,
    clause: Clause,
    next: Next,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Clause {
    #[default]
    Other,
    /// A comma means one more table.
    From,
    /// Between `WITH` and the operation it belongs to: a comma means one more common table expression.
    With,
}

/// What the next word is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Next {
    #[default]
    Any,
    /// A table, or a function if a parenthesis follows.
    Target,
    /// A table, though a parenthesis may follow.
    Table,
    /// The name of a common table expression.
    Name,
}

#[derive(Debug, Default)]
struct Reader<'a> {
    operations: Vec<Operation<'a>>,
    /// Names of common table expressions.
    expressions: Vec<&'a str>,
    outer: Vec<Scope>,
    scope: Scope,
    previous: &'a str,
}

impl<'a> Reader<'a> {
    fn take(&mut self, token: Token<'a>, before_parenthesis: bool) {
        match token {
            Token::Open => {
                self.scope.next = Next::Any;
                self.outer.push(std::mem::take(&mut self.scope));
            }
            Token::Close => self.scope = self.outer.pop().unwrap_or_default(),
            Token::Comma => {
                self.scope.next = match self.scope.clause {
                    Clause::From => Next::Target,
                    Clause::With => Next::Name,
                    Clause::Other => Next::Any,
                };
            }
            Token::Word(word) => self.word(word, before_parenthesis),
        }
    }

    fn word(&mut self, word: &'a str, before_parenthesis: bool) {
        let previous = std::mem::replace(&mut self.previous, word);
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        let after = |keyword: &str| previous.eq_ignore_ascii_case(keyword);
        if self.scope.next == Next::Name && !is("RECURSIVE") {
            self.scope.next = Next::Any;
            self.expressions.push(word);
        } else if is("WITH") && self.scope.operation.is_none() {
            (self.scope.clause, self.scope.next) = (Clause::With, Next::Name);
        } else if let Some(name) = operation(word).filter(|name| begins(name, previous)) {
            let operation = Some(self.operations.len());
            self.operations.push(Operation { name, targets: Vec::new() });
            let next = if name == "UPDATE" { Next::Table } else { Next::Any };
            self.scope = Scope { operation, next, clause: Clause::Other };
        } else if self.scope.operation.is_none() {
            // `extract(epoch FROM x)` and the like.
        } else if is("FROM") && !after("DISTINCT") {
            (self.scope.clause, self.scope.next) = (Clause::From, Next::Target);
        } else if is("INTO") {
            self.scope.next = Next::Table;
        } else if is("JOIN") || (is("USING") && self.operates("DELETE")) {
            self.scope.next = Next::Target;
        } else if ENDS_FROM.iter().any(|keyword| is(keyword)) {
            (self.scope.clause, self.scope.next) = (Clause::Other, Next::Any);
        } else if self.scope.next != Next::Any && !is("ONLY") && !is("LATERAL") {
            self.target(word, before_parenthesis);
        }
    }

    fn target(&mut self, word: &'a str, before_parenthesis: bool) {
        let is_function = before_parenthesis && self.scope.next != Next::Table;
        self.scope.next = Next::Any;
        if is_function || self.expressions.iter().any(|name| name.eq_ignore_ascii_case(word)) {
            return;
        }
        if let Some(operation) = self.scope.operation.and_then(|index| self.operations.get_mut(index)) {
            operation.targets.push(word);
        }
    }

    fn operates(&self, name: &str) -> bool {
        self.scope.operation.and_then(|index| self.operations.get(index)).is_some_and(|found| found.name == name)
    }
}

/// Clauses after which no table follows.
const ENDS_FROM: [&str; 12] =
    ["WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH", "FOR", "SET", "RETURNING", "VALUES"];

fn operation(word: &str) -> Option<&'static str> {
    const OPERATIONS: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"];
    OPERATIONS.into_iter().find(|name| word.eq_ignore_ascii_case(name))
}

/// Whether the operation's word begins an operation here: not in `FOR UPDATE`, `FOR NO KEY UPDATE`, `DO UPDATE`
/// and `THEN UPDATE`.
fn begins(name: &str, previous: &str) -> bool {
    let continues = ["FOR", "KEY", "DO", "ON", "THEN"].iter().any(|word| previous.eq_ignore_ascii_case(word));
    name == "SELECT" || !continues
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_keeps_every_operation_and_target_of_the_statement() {
        for (sql, summary) in [
            ("SELECT a, b FROM shop.cart s JOIN x USING (y)", "SELECT shop.cart x"),
            ("insert into shop.item(a) values ($1)", "INSERT shop.item"),
            ("INSERT INTO a (x) SELECT y FROM b, c WHERE z = 'FROM d'", "INSERT a SELECT b c"),
            ("UPDATE shop.item SET a = (SELECT b FROM c)", "UPDATE shop.item SELECT c"),
            ("DELETE FROM t USING u WHERE a = $1 AND EXISTS (SELECT FROM v)", "DELETE t u SELECT v"),
            ("WITH due AS (SELECT x FROM y FOR UPDATE) UPDATE a.b SET c = 1 FROM due", "SELECT y UPDATE a.b"),
            ("WITH RECURSIVE a AS (SELECT 1), b AS MATERIALIZED (SELECT 2 FROM t) SELECT * FROM a, b", "SELECT t"),
            ("SELECT (SELECT count(*) FROM a) AS n, s.x FROM b.c s", "SELECT b.c SELECT a"),
            ("INSERT INTO a (b) VALUES ($1) ON CONFLICT (b) DO UPDATE SET c = 1 RETURNING b", "INSERT a"),
            ("SELECT x FROM unnest($1::uuid[]) AS given (x), generate_series(1, 2)", "SELECT"),
            ("SELECT extract(epoch FROM a), trim(both FROM b) FROM c WHERE d IS DISTINCT FROM e", "SELECT c"),
            ("SELECT 1 -- FROM a\n/* FROM b */ FROM c FOR NO KEY UPDATE SKIP LOCKED", "SELECT c"),
            ("SELECT $$ FROM a $$ FROM ONLY b LEFT JOIN LATERAL (SELECT 1 FROM c) d ON true, e", "SELECT b e SELECT c"),
            ("COMMIT", ""),
            ("", ""),
        ] {
            assert_eq!(Summary::of(sql).text(), summary, "{sql}");
        }
    }

    #[test]
    fn operation_and_table_stand_alone_only_where_there_is_one() {
        let summary = Summary::of("UPDATE shop.item SET a = 1 WHERE b IN (SELECT b FROM shop.item)");
        assert_eq!((summary.operation(), summary.target(), summary.schema()), (None, Some("shop.item"), Some("shop")));
        let summary = Summary::of("DELETE FROM t");
        assert_eq!((summary.operation(), summary.target(), summary.schema()), (Some("DELETE"), Some("t"), None));
        let summary = Summary::of("SELECT 1 FROM a, b");
        assert_eq!((summary.operation(), summary.target()), (Some("SELECT"), None));
    }

    #[test]
    fn a_long_summary_is_cut_between_two_of_its_parts() {
        let tables: Vec<String> = (0..100).map(|number| format!("table_{number:03}")).collect();
        let sql = format!("SELECT 1 FROM {}", tables.join(", "));
        let text = Summary::of(&sql).text();
        assert!(text.len() <= 255 && text.ends_with("table_023"), "{text}");
    }
}
