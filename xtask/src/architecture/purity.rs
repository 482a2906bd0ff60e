//! Code that decides is given the time, the settings and random numbers, so that a test can choose them.

use super::workspace::Source;

/// The folders of such code.
const PURE: [&str; 8] = [
    "data-svc/src/rpc/",
    "data-svc/src/schedule/",
    "epro-svc/src/assessment/",
    "epro-svc/src/rpc/",
    "epro-svc/src/rules/",
    "gateway/src/routes/",
    "notify-svc/src/rpc/",
    "user-svc/src/rpc/",
];

/// What it does not name.
const IMPURE: [&str; 7] =
    ["Instant::now", "Local::now", "SystemTime::now", "Uuid::new_v4", "Utc::now", "env::var", "fastrand::"];

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let is_pure = |source: &&Source| PURE.iter().any(|folder| source.path.starts_with(folder));
    let is_test = |source: &&Source| source.path.contains("/tests/") || source.path.ends_with("/tests.rs");
    sources.iter().filter(is_pure).filter(|source| !is_test(source)).flat_map(check_source).collect()
}

/// Tests, which are at the end of a file, may name anything.
fn check_source(source: &Source) -> Vec<String> {
    let code = (1..).zip(source.text.lines()).take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    let found = code.filter_map(|(number, line)| Some((number, IMPURE.into_iter().find(|name| line.contains(name))?)));
    let path = &source.path;
    found.map(|(number, name)| format!("{path}:{number} has {name}: pass the value in instead")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(&[Source { path: path.to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn a_rule_that_reads_the_clock_is_found() {
        let text = "use chrono::Utc;\nlet late = due < Utc::now();\n#[cfg(test)]\nlet now = Utc::now();\n";
        let expected = ["epro-svc/src/rules/window.rs:2 has Utc::now: pass the value in instead"];
        assert_eq!(findings("epro-svc/src/rules/window.rs", text), expected);
        for elsewhere in
            ["epro-svc/src/rules/tests.rs", "epro-svc/src/rules/tests/answer.rs", "epro-svc/src/capture.rs"]
        {
            assert_eq!(findings(elsewhere, text), Vec::<String>::new());
        }
    }
}
