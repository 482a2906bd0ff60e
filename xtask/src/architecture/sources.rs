//! The libraries name nothing of the application, no service allows what `clippy.toml` forbids, and `main.rs` is thin.
//!
//! Business code that uses `tracing` or OpenTelemetry does not compile: `dependencies` refuses the crates.

use super::SERVICES;
use super::workspace::Source;

/// The crates that other projects can reuse.
const LIBRARIES: [&str; 3] = ["crates/telemetry/", "crates/trace-testing/", "crates/traces/"];

/// Words of this application, which the reusable crates do not contain even in comments.
const APPLICATION: [&str; 5] = ["epro", "patient", "clinical", "outbox", "nurse"];

/// This lifts the rules of `clippy.toml`, and a service has no reason to do that.
const EXCEPTION: &str = "disallowed_methods";

/// The most lines of a service's `main.rs`, which only starts its library.
const MAIN_LINES: usize = 40;

/// The most lines of a file. The limit for functions is in `clippy.toml`.
const LINES: usize = 300;

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let is_in = |source: &&Source, folders: &[&str]| folders.iter().any(|folder| source.path.starts_with(folder));
    let library = sources.iter().filter(|source| is_in(source, &LIBRARIES)).flat_map(check_library);
    let service = sources
        .iter()
        .filter(|source| source.path.split_once('/').is_some_and(|(folder, _)| SERVICES.contains(&folder)));
    service.flat_map(check_service).chain(library).chain(sources.iter().filter_map(check_length)).collect()
}

fn check_length(source: &Source) -> Option<String> {
    let (path, lines) = (&source.path, source.text.lines().count());
    (lines > LINES).then(|| format!("{path} has {lines} lines, more than {LINES}: split it by what it does instead"))
}

fn check_library(source: &Source) -> Vec<String> {
    let word_in = |line: &str| APPLICATION.into_iter().find(|word| names(&line.to_lowercase(), word));
    let lines = (1..).zip(source.text.lines());
    let found = lines.filter_map(|(number, line)| Some((number, word_in(line)?)));
    let path = &source.path;
    found
        .map(|(number, word)| format!("{path}:{number} has {word}: a library knows nothing of the application"))
        .collect()
}

fn check_service(source: &Source) -> Vec<String> {
    let path = &source.path;
    let lifted = (1..).zip(source.text.lines()).filter(|(_, line)| names(line, EXCEPTION));
    let mut findings: Vec<_> = lifted
        .map(|(number, _)| {
            format!("{path}:{number} lifts {EXCEPTION}: use what clippy names in place of the refused call instead")
        })
        .collect();
    let lines = source.text.lines().count();
    if path.ends_with("/src/main.rs") && lines > MAIN_LINES {
        findings.push(format!("{path} has {lines} lines, more than {MAIN_LINES}: move them into the library instead"));
    }
    findings
}

/// Whether a word in the line starts with `name`.
fn names(line: &str, name: &str) -> bool {
    let inside_a_word = |at: usize| line[..at].ends_with(|c: char| c.is_alphanumeric());
    line.match_indices(name).any(|(at, _)| !inside_a_word(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, text: &str) -> Vec<String> {
        check(&[Source { path: path.to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn a_service_cannot_lift_the_rules_of_clippy() {
        let findings = told("data-svc/src/lib.rs", "#![allow(clippy::disallowed_methods)]");
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("data-svc/src/lib.rs:1 lifts disallowed_methods"));
        assert_eq!(told("migrations/src/lib.rs", "#![allow(clippy::disallowed_methods)]"), Vec::<String>::new());
    }

    #[test]
    fn a_word_of_the_application_in_a_library_is_found() {
        for line in ["// The Outbox is late.", "const SCOPE: &str = \"epro\";", "/// No patient's words."] {
            let findings = told("crates/telemetry/src/task.rs", line);
            assert_eq!(findings.len(), 1, "{line}: {findings:?}");
            assert!(findings[0].starts_with("crates/telemetry/src/task.rs:1 has "), "{findings:?}");
        }
        assert_eq!(told("crates/traces/src/tree.rs", "// Two nurses.").len(), 1);
        assert_eq!(told("crates/service-kit/src/lib.rs", "// The outbox."), Vec::<String>::new());
        assert_eq!(told("crates/telemetry/src/task.rs", "fn reprocess() {}"), Vec::<String>::new());
    }

    #[test]
    fn a_long_file_is_found_wherever_it_is() {
        let longest = "//\n".repeat(LINES);
        for path in ["crates/telemetry/src/span.rs", "e2e/tests/reads.rs"] {
            assert_eq!(told(path, &longest), Vec::<String>::new());
            let expected = format!("{path} has 301 lines, more than 300: split it by what it does instead");
            assert_eq!(told(path, &format!("{longest}//\n")), [expected]);
        }
    }

    #[test]
    fn a_thick_main_is_found() {
        let thin = "//\n".repeat(MAIN_LINES);
        assert_eq!(told("gateway/src/main.rs", &thin), Vec::<String>::new());
        assert_eq!(told("xtask/src/main.rs", &"//\n".repeat(100)), Vec::<String>::new());
        let findings = told("gateway/src/main.rs", &(thin + "//\n"));
        assert_eq!(findings, ["gateway/src/main.rs has 41 lines, more than 40: move them into the library instead"]);
    }
}
