//! The results of the checks.

use anyhow::ensure;

/// The checks so far. Each prints a line.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    passed: usize,
    failed: Vec<String>,
}

impl Verdict {
    /// Shows `details` if the check fails.
    pub(crate) fn check(&mut self, name: &str, passed: bool, details: impl FnOnce() -> String) {
        if passed {
            self.passed += 1;
            println!("ok    {name}");
        } else {
            println!("FAIL  {name}");
            println!("      {}", details().replace('\n', "\n      "));
            self.failed.push(name.to_owned());
        }
    }

    /// Passes when there is no problem.
    pub(crate) fn all(&mut self, name: &str, problems: &[String]) {
        self.check(name, problems.is_empty(), || problems.join("\n"));
    }

    /// Passes when there is a text and none of the words is in it.
    pub(crate) fn absent(&mut self, name: &str, words: &[&str], text: &str) {
        let found: Vec<String> = words.iter().filter_map(|word| find(word, text)).collect();
        self.check(name, !text.is_empty() && found.is_empty(), || {
            if found.is_empty() { "there is nothing to look at".to_owned() } else { found.join("\n") }
        });
    }

    /// Whether no check has failed.
    pub(crate) fn is_good(&self) -> bool {
        self.failed.is_empty()
    }

    /// Prints the overall result.
    ///
    /// # Errors
    /// When a check failed.
    pub(crate) fn pronounce(self) -> anyhow::Result<()> {
        let (passed, failed) = (self.passed, self.failed.len());
        ensure!(failed == 0, "{failed} of {} checks failed: {}", passed + failed, self.failed.join("; "));
        println!("verdict: all {passed} checks passed");
        Ok(())
    }
}

/// The first occurrence of the word, with the text around it. Occurrences inside a longer word do not count, because a
/// PIN would sometimes occur in a random id.
fn find(word: &str, text: &str) -> Option<String> {
    const AROUND: usize = 80;
    let is_part = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
    let (at, _) = text.match_indices(word).find(|(at, _)| {
        let (before, after) = (&text[..*at], &text[at + word.len()..]);
        !is_part(before.chars().next_back()) && !is_part(after.chars().next())
    })?;
    let from = text[..at].char_indices().rev().nth(AROUND).map_or(0, |(start, _)| start);
    Some(format!("{word}: {}", text[from..].chars().take(2 * AROUND + word.len()).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_counts_only_when_it_stands_alone() {
        assert_eq!(find("246801", "id 92468013"), None);
        assert_eq!(
            find("246801", "92468013 \"pin\":\"246801\""),
            Some("246801: 92468013 \"pin\":\"246801\"".to_owned())
        );
    }

    #[test]
    fn an_empty_text_proves_nothing() {
        let mut verdict = Verdict::default();
        verdict.absent("no word", &["word"], "");
        assert!(verdict.pronounce().is_err());
    }
}
