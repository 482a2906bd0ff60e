//! Runs the unit tests of the crates with changes, for an answer in seconds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::cargo::{cargo, succeed};

/// Tests of these need the whole stack or take minutes.
const NOT_QUICK: [&str; 2] = ["e2e", "xtask"];

/// Runs the unit tests of crates that differ from the last commit.
pub(super) async fn run() -> anyhow::Result<()> {
    let packages = packages()?;
    let changed: BTreeSet<_> = changed_files()?.iter().filter_map(|file| owner(&packages, file)).collect();
    let tested: Vec<_> = changed.iter().filter(|name| !NOT_QUICK.contains(&name.as_str())).collect();
    if tested.is_empty() {
        println!("no crate has changed whose tests are quick");
    } else {
        let mut tests = cargo();
        tests.args(["test", "--lib", "--bins"]);
        for name in &tested {
            tests.args(["--package", name.as_str()]);
        }
        succeed(tests).await?;
    }
    println!(
        "not run: what uses these crates, the stack end to end, what the build refuses. `cargo xtask test` runs all of it"
    );
    Ok(())
}

/// The name and the folder of each workspace member, from the root.
fn packages() -> anyhow::Result<Vec<(String, PathBuf)>> {
    let metadata =
        testkit::cargo::cargo().args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).output();
    let metadata = metadata.context("run cargo metadata")?;
    ensure!(metadata.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout)?;
    let root = Path::new(metadata["workspace_root"].as_str().context("cargo names no workspace root")?).to_owned();
    let packages = metadata["packages"].as_array().into_iter().flatten().filter_map(|package| {
        let folder = Path::new(package["manifest_path"].as_str()?).parent()?.strip_prefix(&root).ok()?;
        Some((package["name"].as_str()?.to_owned(), folder.to_owned()))
    });
    Ok(packages.collect())
}

/// Files that differ from the last commit, including new ones, with paths from the root.
fn changed_files() -> anyhow::Result<Vec<String>> {
    let arguments = ["status", "--porcelain", "--untracked-files=all", "--no-renames"];
    let status = Command::new("git").args(arguments).output().context("run git")?;
    ensure!(status.status.success(), "git status failed: {}", String::from_utf8_lossy(&status.stderr));
    Ok(String::from_utf8_lossy(&status.stdout).lines().filter_map(|line| Some(line.get(3..)?.to_owned())).collect())
}

/// The member that a file belongs to: the one with the innermost folder around it.
fn owner(packages: &[(String, PathBuf)], file: &str) -> Option<String> {
    let around = packages.iter().filter(|(_, folder)| Path::new(file).starts_with(folder));
    around.max_by_key(|(_, folder)| folder.components().count()).map(|(name, _)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_innermost_member_around_it() {
        let member = |name: &str, folder: &str| (name.to_owned(), PathBuf::from(folder));
        let packages =
            [member("xtask", "xtask"), member("violations", "xtask/violations"), member("proto", "crates/proto")];
        for (file, expected) in [
            ("xtask/src/main.rs", Some("xtask")),
            ("xtask/violations/src/lib.rs", Some("violations")),
            ("crates/proto/proto/epro/data/v1/data.proto", Some("proto")),
            ("README.md", None),
            ("xtask-like/file", None),
        ] {
            assert_eq!(owner(&packages, file).as_deref(), expected, "{file}");
        }
    }
}
