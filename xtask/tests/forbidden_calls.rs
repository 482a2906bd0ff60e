//! Clippy refuses every call that would break a trace, and names the call to use instead.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use anyhow::{Context, ensure};
use serde_json::Value;
use testkit::cargo::cargo;

/// A place in the crate `violations`: file and line.
type Place = (String, u64);

/// An error of clippy.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Refusal {
    place: Place,
    message: String,
    reason: String,
}

#[test]
fn every_forbidden_call_is_refused_with_its_alternative() -> anyhow::Result<()> {
    let refusals = refusals()?;
    let rules = rules()?;
    ensure!(!rules.is_empty(), "clippy.toml forbids nothing");
    for (path, reason) in &rules {
        ensure!(reason.contains("use ") && reason.ends_with(" instead"), "{path}: no alternative in {reason:?}");
        let message = format!("use of a disallowed method `{path}`");
        let refusal = refusals.iter().find(|refusal| refusal.message == message);
        let refusal = refusal.with_context(|| format!("{path} is not refused: does `violations` call it?"))?;
        ensure!(refusal.reason == *reason, "{path} was refused because {:?}", refusal.reason);
    }
    Ok(())
}

#[test]
fn every_function_of_the_violations_is_refused_once_and_for_nothing_else() -> anyhow::Result<()> {
    let refused: Vec<Place> = refusals()?.iter().map(|refusal| refusal.place.clone()).collect();
    // Each function's one statement is on the line below its name.
    let calls: Vec<Place> = functions()?.into_iter().map(|(file, line)| (file, line + 1)).collect();
    assert_eq!(refused, calls);
    Ok(())
}

/// The workspace's root.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The path and the reason of every entry in `clippy.toml`. Each entry is on one line.
fn rules() -> anyhow::Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(root().join("clippy.toml"))?;
    let entries = text.lines().filter(|line| line.trim_start().starts_with("{ path"));
    entries
        .map(|line| {
            let quoted: Vec<&str> = line.split('"').collect();
            let (path, reason) = quoted.get(1).zip(quoted.get(3)).with_context(|| format!("no reason in {line}"))?;
            Ok(((*path).to_owned(), (*reason).to_owned()))
        })
        .collect()
}

/// The first lines of the functions in `violations`, in order.
fn functions() -> anyhow::Result<Vec<Place>> {
    let mut functions = Vec::new();
    for file in std::fs::read_dir(root().join("xtask/violations/src"))? {
        let file = file?;
        let text = std::fs::read_to_string(file.path())?;
        for (line, text) in (1..).zip(text.lines()) {
            if text.starts_with("pub fn ") || text.starts_with("pub async fn ") {
                functions.push((file.file_name().to_string_lossy().into_owned(), line));
            }
        }
    }
    functions.sort();
    Ok(functions)
}

/// Clippy's errors. Clippy runs once for all tests.
fn refusals() -> anyhow::Result<&'static [Refusal]> {
    static REFUSALS: LazyLock<anyhow::Result<Vec<Refusal>>> = LazyLock::new(run_clippy);
    REFUSALS.as_deref().map_err(|error| anyhow::anyhow!("{error:#}"))
}

/// Clippy's errors in `violations`, in order.
///
/// It runs over the whole workspace, as in CI. For a single package, cargo would choose other features for the
/// dependencies and check them again.
fn run_clippy() -> anyhow::Result<Vec<Refusal>> {
    let output = cargo()
        .current_dir(root())
        .args(["clippy", "--workspace", "--all-targets", "--keep-going", "--locked", "--quiet"])
        .args(["--features", "violations/violations", "--message-format", "json"])
        .output()
        .context("run cargo clippy")?;
    let mut refusals = BTreeSet::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: Value = serde_json::from_str(line)?;
        // The library is checked twice, with and without its tests. The set removes the duplicates.
        if message["target"]["name"] == "violations" && message["message"]["level"] == "error" {
            refusals.extend(refusal(&message["message"]));
        }
    }
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(!refusals.is_empty(), "clippy refused nothing; it said:\n{log}");
    Ok(refusals.into_iter().collect())
}

/// `None` for the last line, "aborting due to ...", which has no place.
fn refusal(message: &Value) -> Option<Refusal> {
    let span = message["spans"].get(0)?;
    let file = Path::new(span["file_name"].as_str()?).file_name()?.to_string_lossy().into_owned();
    Some(Refusal {
        place: (file, span["line_start"].as_u64()?),
        message: message["message"].as_str()?.to_owned(),
        reason: message["children"][0]["message"].as_str().unwrap_or_default().to_owned(),
    })
}
