//! Checks that tests use the same builds of crates as the programs.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, ensure};

/// The features of each crate with these kinds of dependencies.
fn features(kinds: &str) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let arguments = ["tree", "--workspace", "--offline", "--prefix", "none", "--format", "{p}|{f}", "--edges", kinds];
    let output = Command::new(env!("CARGO")).args(arguments).output().context("run cargo tree")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut crates: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout)?.lines().filter(|line| !line.is_empty()) {
        let (name, features) = line.trim_end_matches(" (*)").split_once('|').with_context(|| line.to_owned())?;
        crates.entry(name.to_owned()).or_default().extend(features.split(',').map(str::to_owned));
    }
    Ok(crates)
}

#[test]
fn tests_ask_for_no_feature_that_programs_do_not_have() -> anyhow::Result<()> {
    let (programs, tests) = (features("normal,build")?, features("normal,build,dev")?);
    ensure!(programs.len() > 100, "{programs:?}");
    let more: BTreeMap<_, BTreeSet<_>> = tests
        .iter()
        .filter_map(|(name, features)| Some((name, features.difference(programs.get(name)?).collect())))
        .filter(|(_, more): &(_, BTreeSet<_>)| !more.is_empty())
        .collect();
    ensure!(more.is_empty(), "built twice, and tested as they do not run; xtask/Cargo.toml asks for such: {more:#?}");
    Ok(())
}
