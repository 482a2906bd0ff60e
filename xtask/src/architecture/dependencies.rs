//! Dependencies point in one direction, and libraries that make spans are used only through `telemetry`.

use super::SERVICES;
use super::workspace::{Locked, Member};

/// The dependencies that each member may have inside the workspace, including dev- and build-dependencies.
const LAYERS: [(&str, &[&str]); 18] = [
    ("gateway", &["service-kit", "telemetry", "proto", "traces"]),
    ("user-svc", SERVICE),
    ("epro-svc", SERVICE),
    ("data-svc", SERVICE),
    ("notify-svc", SERVICE),
    ("service-kit", &["telemetry", "proto", "certificates"]),
    ("telemetry", &[]),
    ("proto", &[]),
    ("migrations", &[]),
    ("certificates", &[]),
    ("load", &["migrations"]),
    ("traces", &[]),
    ("docs", &["telemetry", "testkit"]),
    ("trace-testing", &["traces", "telemetry"]),
    ("testkit", &["trace-testing", "traces", "migrations", "certificates"]),
    ("e2e", &["testkit", "migrations", "proto"]),
    // telemetry only for its features, see xtask/Cargo.toml.
    ("xtask", &["testkit", "traces", "migrations", "telemetry"]),
    (VIOLATIONS, &[]),
];

const SERVICE: &[&str] = &["service-kit", "telemetry", "proto"];

/// Contains one call of everything that is forbidden, so that a test can check that clippy refuses it.
const VIOLATIONS: &str = "violations";

/// Packages that only some members may depend on directly. The first matching entry counts.
const RESERVED: &[Reserved] = &[
    Reserved {
        packages: &["opentelemetry-proto", "opentelemetry-semantic-conventions"],
        members: &["telemetry", "trace-testing", "testkit", "traces"],
        instead: "compare traces with testkit::trace",
    },
    Reserved {
        packages: &["opentelemetry*", "tracing-opentelemetry", "tracing-subscriber", "tracing-core"],
        members: &["telemetry"],
        instead: "use the layers and clients of telemetry",
    },
    Reserved {
        packages: &["tracing"],
        members: &["telemetry"],
        instead: "use telemetry::{info, warn, error} for log lines; spans come from its layers",
    },
    Reserved {
        packages: &["sqlx"],
        members: &["user-svc", "data-svc", "migrations", "telemetry", "service-kit", "testkit", "docs", "xtask", "e2e"],
        instead: "call data-svc or user-svc, which own the schemas",
    },
    Reserved {
        packages: &["reqwest"],
        members: &["telemetry", "notify-svc", "load", "trace-testing", "testkit", "docs", "xtask", "e2e"],
        instead: "use telemetry::http::Client",
    },
    Reserved {
        packages: &["lettre"],
        members: &["telemetry", "notify-svc"],
        instead: "let notify-svc send it, through telemetry::smtp::Mailer",
    },
    Reserved {
        packages: &["hyper", "hyper-util"],
        members: &["telemetry", "service-kit", "testkit", "e2e", VIOLATIONS],
        instead: "use telemetry::http::Client",
    },
];

struct Reserved {
    /// Package names. A `*` at the end matches any ending.
    packages: &'static [&'static str],
    members: &'static [&'static str],
    instead: &'static str,
}

/// Two versions of one of these would not work together: spans, messages or connections of one version are of no use to
/// the other.
const SINGLE: [&str; 5] = ["opentelemetry", "tonic", "reqwest", "sqlx", "prost"];

pub(super) fn check(members: &[Member], locked: &[Locked]) -> Vec<String> {
    let mut findings = Vec::new();
    for member in members {
        findings.extend(layers(member, members));
        if member.name != VIOLATIONS {
            findings.extend(reserved(member));
        }
    }
    findings.extend(single(locked));
    findings
}

fn layers(member: &Member, members: &[Member]) -> Vec<String> {
    let name = &member.name;
    let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| layer == name) else {
        return vec![format!("{name} has no place in the architecture: give it one in xtask/src/architecture")];
    };
    let inside = member.dependencies.iter().filter(|dependency| members.iter().any(|m| m.name == dependency.package));
    let wrong = inside.filter(|dependency| !allowed.contains(&dependency.package.as_str()));
    wrong
        .map(|dependency| {
            let (package, kind) = (&dependency.package, &dependency.kind);
            let instead = if SERVICES.contains(&package.as_str()) {
                "a service is reached through its contract in proto: call it over gRPC instead"
            } else if package == "testkit" {
                "testkit starts the whole application: write the test in e2e instead"
            } else {
                "dependencies point one way, services -> service-kit -> telemetry and services -> proto: \
                 move what is needed down instead"
            };
            format!("{name} depends on {package} ({kind}): {instead}")
        })
        .collect()
}

fn reserved(member: &Member) -> Vec<String> {
    let mut findings = Vec::new();
    for dependency in &member.dependencies {
        let rule = RESERVED.iter().find(|rule| rule.packages.iter().any(|name| fits(name, &dependency.package)));
        if let Some(rule) = rule.filter(|rule| !rule.members.contains(&member.name.as_str())) {
            findings.push(format!(
                "{} depends on {} ({}), which is for {} alone: {} instead",
                member.name,
                dependency.package,
                dependency.kind,
                rule.members.join(", "),
                rule.instead
            ));
        }
    }
    findings
}

fn fits(pattern: &str, package: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == package, |prefix| package.starts_with(prefix))
}

fn single(locked: &[Locked]) -> Vec<String> {
    let versions = |package: &str| -> Vec<&str> {
        locked.iter().filter(|locked| locked.name == package).map(|locked| locked.version.as_str()).collect()
    };
    SINGLE
        .iter()
        .map(|package| (package, versions(package)))
        .filter(|(_, versions)| versions.len() != 1)
        .map(|(package, versions)| {
            format!(
                "Cargo.lock holds {} versions of {package} ({}): choose dependencies that share one instead",
                versions.len(),
                versions.join(", ")
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::workspace::Dependency;
    use super::*;

    fn member(name: &str, dependencies: &[(&str, &str)]) -> Member {
        let dependency =
            |(package, kind): &(&str, &str)| Dependency { package: (*package).to_owned(), kind: (*kind).to_owned() };
        Member { name: name.to_owned(), dependencies: dependencies.iter().map(dependency).collect() }
    }

    /// The messages for a crate `name` with this one dependency.
    fn told(name: &str, package: &str, kind: &str) -> Vec<String> {
        let mut members = vec![member(name, &[(package, kind)])];
        members.extend(LAYERS.iter().filter(|(layer, _)| *layer != name).map(|(layer, _)| member(layer, &[])));
        check(&members, &one_of_each())
    }

    fn one_of_each() -> Vec<Locked> {
        SINGLE.iter().map(|name| Locked { name: (*name).to_owned(), version: "1.0.0".to_owned() }).collect()
    }

    #[test]
    fn what_points_down_is_fine() {
        for (name, package, kind) in [
            ("gateway", "service-kit", "normal"),
            ("data-svc", "sqlx", "normal"),
            ("service-kit", "telemetry", "normal"),
            ("telemetry", "opentelemetry_sdk", "normal"),
            ("testkit", "opentelemetry-proto", "normal"),
            ("e2e", "testkit", "dev"),
            ("gateway", "tower", "normal"),
            (VIOLATIONS, "tracing", "normal"),
        ] {
            assert_eq!(told(name, package, kind), Vec::<String>::new());
        }
    }

    #[test]
    fn a_dependency_that_does_not_belong_is_one_finding_with_its_alternative() {
        for (name, package, kind, alternative) in [
            ("gateway", "opentelemetry", "normal", "use the layers and clients of telemetry instead"),
            ("gateway", "opentelemetry_sdk", "dev", "use the layers and clients of telemetry instead"),
            ("service-kit", "tracing-opentelemetry", "normal", "use the layers and clients of telemetry instead"),
            ("testkit", "tracing-subscriber", "dev", "use the layers and clients of telemetry instead"),
            ("testkit", "opentelemetry-otlp", "normal", "use the layers and clients of telemetry instead"),
            ("e2e", "opentelemetry-proto", "dev", "compare traces with testkit::trace instead"),
            ("epro-svc", "tracing", "normal", "spans come from its layers instead"),
            ("gateway", "sqlx", "normal", "call data-svc or user-svc, which own the schemas instead"),
            ("epro-svc", "reqwest", "build", "use telemetry::http::Client instead"),
            ("user-svc", "lettre", "normal", "through telemetry::smtp::Mailer instead"),
            ("notify-svc", "hyper", "normal", "use telemetry::http::Client instead"),
            ("gateway", "user-svc", "normal", "call it over gRPC instead"),
            ("data-svc", "epro-svc", "dev", "call it over gRPC instead"),
            ("gateway", "testkit", "dev", "write the test in e2e instead"),
            ("telemetry", "service-kit", "normal", "move what is needed down instead"),
            ("proto", "telemetry", "normal", "move what is needed down instead"),
            ("gateway", VIOLATIONS, "normal", "move what is needed down instead"),
        ] {
            let findings = told(name, package, kind);
            assert_eq!(findings.len(), 1, "{name} -> {package}: {findings:?}");
            assert!(findings[0].starts_with(&format!("{name} depends on {package} ({kind})")), "{findings:?}");
            assert!(findings[0].ends_with(alternative), "{findings:?}");
        }
    }

    #[test]
    fn a_new_crate_needs_a_place() {
        let findings = told("utils", "serde", "normal");
        assert_eq!(findings, ["utils has no place in the architecture: give it one in xtask/src/architecture"]);
    }

    #[test]
    fn a_second_version_of_what_must_be_one_is_found() {
        let mut locked = one_of_each();
        locked.push(Locked { name: "tonic".to_owned(), version: "0.13.0".to_owned() });
        locked.push(Locked { name: "rand".to_owned(), version: "0.8.0".to_owned() });
        locked.push(Locked { name: "rand".to_owned(), version: "0.9.0".to_owned() });
        let expected =
            "Cargo.lock holds 2 versions of tonic (1.0.0, 0.13.0): choose dependencies that share one instead";
        assert_eq!(check(&[], &locked), [expected]);
    }
}
