//! Only `telemetry` names OpenTelemetry, and it names nothing of the application. Business code has no tracing calls,
//! and `main.rs` is thin.

use super::SERVICES;
use super::workspace::Source;

/// Files that may name anything: the crates about traces, and these rules themselves.
const EXEMPT: [&str; 6] = [
    "crates/telemetry/",
    "crates/testkit/",
    "crates/trace-testing/",
    "crates/traces/",
    "xtask/violations/",
    "xtask/src/architecture/",
];

/// Only the exempt crates may name these.
const OPENTELEMETRY: [&str; 3] = ["opentelemetry::", "opentelemetry_", "tracing_opentelemetry"];

/// Services must not name these either. Their spans come from layers and clients.
const TRACING: [&str; 6] = ["tracing::", "span!(", "#[instrument", "#[tracing", "set_attribute(", "Span::current("];

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
    let checked = sources.iter().filter(|source| !EXEMPT.iter().any(|folder| source.path.starts_with(folder)));
    let library = sources.iter().filter(|source| LIBRARIES.iter().any(|folder| source.path.starts_with(folder)));
    let long = sources.iter().filter_map(check_length);
    checked.flat_map(check_one).chain(library.flat_map(check_library)).chain(long).collect()
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

fn check_one(source: &Source) -> Vec<String> {
    let path = &source.path;
    let service = path.split_once('/').is_some_and(|(folder, _)| SERVICES.contains(&folder));
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(source.text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//")) {
        if let Some(name) = OPENTELEMETRY.into_iter().find(|name| names(line, name)) {
            findings.push(format!(
                "{path}:{number} names {name}: OpenTelemetry is for telemetry alone, use its layers and clients instead"
            ));
        } else if let Some(name) = TRACING.into_iter().find(|name| service && names(line, name)) {
            findings.push(format!(
                "{path}:{number} has {name}: business code has no tracing line, use a layer of telemetry, \
                 telemetry::Task or telemetry::checked instead"
            ));
        } else if service && names(line, EXCEPTION) {
            findings.push(format!(
                "{path}:{number} lifts {EXCEPTION}: use what clippy names in place of the refused call instead"
            ));
        }
    }
    let lines = source.text.lines().count();
    if service && path.ends_with("/src/main.rs") && lines > MAIN_LINES {
        findings.push(format!("{path} has {lines} lines, more than {MAIN_LINES}: move them into the library instead"));
    }
    findings
}

/// Whether a word in the line starts with `name`; `info_span!(` contains `span!(` too.
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
    fn opentelemetry_is_found_everywhere_but_in_its_own_crates() {
        for line in [
            "use opentelemetry::Context;",
            "    let x = ::opentelemetry::Context::new();",
            "use opentelemetry_sdk::trace::SpanData;",
            "use tracing_opentelemetry as otel;",
        ] {
            for path in ["gateway/src/app.rs", "crates/service-kit/src/lib.rs", "e2e/tests/e2e.rs", "xtask/src/demo.rs"]
            {
                let findings = told(path, &format!("//! A file.\n{line}\n"));
                assert_eq!(findings.len(), 1, "{path}: {line}: {findings:?}");
                assert!(findings[0].starts_with(&format!("{path}:2 names ")), "{findings:?}");
                assert!(findings[0].ends_with(" use its layers and clients instead"), "{findings:?}");
            }
            assert_eq!(told("crates/telemetry/src/init.rs", line), Vec::<String>::new());
            assert_eq!(told("crates/trace-testing/src/receiver/mod.rs", line), Vec::<String>::new());
        }
    }

    #[test]
    fn a_tracing_line_in_business_code_is_found() {
        for line in [
            "use tracing::Instrument;",
            "    tracing::info!(\"x\");",
            "    let span = info_span!(\"x\");",
            "    let span = span!(Level::INFO, \"x\");",
            "#[instrument(skip_all)]",
            "#[tracing::instrument]",
            "    Span::current().record(\"pain\", 3);",
            "    span.set_attribute(\"pain\", 3);",
        ] {
            for path in ["gateway/src/routes/livez.rs", "notify-svc/tests/delivery.rs"] {
                let findings = told(path, line);
                assert_eq!(findings.len(), 1, "{path}: {line}: {findings:?}");
                assert!(
                    findings[0].ends_with(" use a layer of telemetry, telemetry::Task or telemetry::checked instead")
                );
            }
            assert_eq!(told("crates/service-kit/src/service.rs", line), Vec::<String>::new());
        }
    }

    #[test]
    fn a_service_cannot_lift_the_rules_of_clippy() {
        let findings = told("data-svc/src/lib.rs", "#![allow(clippy::disallowed_methods)]");
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("data-svc/src/lib.rs:1 lifts disallowed_methods"));
        assert_eq!(told("migrations/src/lib.rs", "#![allow(clippy::disallowed_methods)]"), Vec::<String>::new());
    }

    #[test]
    fn log_lines_tasks_and_comments_are_fine() {
        let text = "//! Not opentelemetry::Context.\n    // tracing::info is not for us\n    telemetry::info!(\"x\");\n\
                    use nottracing::x;\n    Task::producer(\"hint\").attribute(\"n\", 1);\n";
        assert_eq!(told("epro-svc/src/clients/notify.rs", text), Vec::<String>::new());
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
