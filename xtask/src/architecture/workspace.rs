//! The data that the rules check, read from cargo and from the sources.

use std::path::Path;

use anyhow::Context;
use cargo_metadata::{Metadata, MetadataCommand};

/// A crate of this workspace.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// A line under `[dependencies]`, `[dev-dependencies]` or `[build-dependencies]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dependency {
    /// The package's own name, even if it was renamed.
    pub(super) package: String,
    /// `normal`, `dev` or `build`.
    pub(super) kind: String,
}

/// A package of `Cargo.lock`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Locked {
    pub(super) name: String,
    pub(super) version: String,
}

/// A Rust file.
#[derive(Debug)]
pub(super) struct Source {
    /// The path from the workspace's root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

/// Everything that is checked.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) members: Vec<Member>,
    pub(super) locked: Vec<Locked>,
    pub(super) sources: Vec<Source>,
}

impl Workspace {
    /// Reads the workspace of the current directory.
    pub(super) fn read() -> anyhow::Result<Self> {
        // Needs neither the network nor a download, because it only reads the workspace's own manifests.
        let offline = ["--offline".to_owned()];
        let metadata = MetadataCommand::new().no_deps().other_options(offline).exec().context("cargo metadata")?;
        let root = metadata.workspace_root.as_std_path();
        let lock = std::fs::read_to_string(root.join("Cargo.lock")).context("read Cargo.lock")?;
        let mut sources = Vec::new();
        read_sources(root, root, &mut sources)?;
        Ok(Self { members: members(&metadata), locked: locked(&lock), sources })
    }
}

fn members(metadata: &Metadata) -> Vec<Member> {
    let dependency = |dependency: &cargo_metadata::Dependency| Dependency {
        package: dependency.name.clone(),
        kind: dependency.kind.to_string(),
    };
    let packages = metadata.packages.iter();
    packages
        .map(|package| Member {
            name: package.name.to_string(),
            dependencies: package.dependencies.iter().map(dependency).collect(),
        })
        .collect()
}

/// `[[package]]`, then `name = "..."` and `version = "..."` on the next two lines.
fn locked(lock: &str) -> Vec<Locked> {
    let value =
        |line: &str, key: &str| Some(line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')?.to_owned());
    let lines: Vec<&str> = lock.lines().collect();
    lines
        .windows(2)
        .filter_map(|pair| Some(Locked { name: value(pair[0], "name")?, version: value(pair[1], "version")? }))
        .collect()
}

fn read_sources(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                read_sources(root, &path, sources)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            sources.push(Source { path: path.strip_prefix(root)?.to_string_lossy().replace('\\', "/"), text });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_names_each_version_of_a_package() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"2.0.0\"\n";
        let package = |version: &str| Locked { name: "a".into(), version: version.into() };
        assert_eq!(locked(lock), [package("1.0.0"), package("2.0.0")]);
    }
}
