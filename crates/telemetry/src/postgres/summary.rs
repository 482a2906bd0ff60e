//! A statement's name: what it does, to which table.

/// Operation and target of a statement, such as `INSERT` and `clinical.report`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Summary<'a> {
    pub(super) operation: &'a str,
    pub(super) target: Option<&'a str>,
}

/// Reads a statement's name off its text. Common table expressions and sub-queries are skipped: the
/// statement is named after its main clause.
pub(super) fn summarize(sql: &str) -> Summary<'_> {
    let mut words = TopLevelWords { rest: sql };
    let operation = words
        .by_ref()
        .find(|word| is_one_of(word, &["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"]))
        .or_else(|| sql.split_whitespace().next())
        .unwrap_or_default();
    let target = if operation.eq_ignore_ascii_case("UPDATE") {
        words.next()
    } else {
        words.find(|word| is_one_of(word, &["FROM", "INTO"])).and_then(|_| words.next())
    };
    Summary { operation, target }
}

fn is_one_of(word: &str, keywords: &[&str]) -> bool {
    keywords.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

/// The words of a statement outside all parentheses.
struct TopLevelWords<'a> {
    rest: &'a str,
}

impl<'a> Iterator for TopLevelWords<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '"');
        let mut depth = 0_u32;
        loop {
            let first = self.rest.chars().next()?;
            if depth == 0 && is_word(first) {
                let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at(end);
                self.rest = rest;
                return Some(word);
            }
            match first {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.rest = &self.rest[first.len_utf8()..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_named_after_its_main_clause() {
        for (sql, operation, target) in [
            ("SELECT a, b FROM identity.session s JOIN x USING (y)", "SELECT", Some("identity.session")),
            ("insert into clinical.report(a) values ($1)", "insert", Some("clinical.report")),
            ("UPDATE clinical.notification SET a = (SELECT b FROM c)", "UPDATE", Some("clinical.notification")),
            ("DELETE FROM t WHERE a = $1", "DELETE", Some("t")),
            ("WITH due AS (SELECT x FROM y FOR UPDATE) UPDATE a.b SET c = 1 FROM due", "UPDATE", Some("a.b")),
            ("SELECT (SELECT count(*) FROM a) AS n, s.x FROM b.c s", "SELECT", Some("b.c")),
            ("SELECT 1", "SELECT", None),
            ("COMMIT", "COMMIT", None),
            ("", "", None),
        ] {
            assert_eq!(summarize(sql), Summary { operation, target }, "{sql}");
        }
    }
}
