//! Cargo, for what is built outside of this workspace.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;
use tokio::time::timeout;

/// Longer than a build should take, on a machine that is busy otherwise.
pub(crate) const BUILD: Duration = Duration::from_mins(20);

/// A cargo of the same toolchain, which goes on with what this workspace has compiled and asks no registry.
pub(crate) fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    // As the workspace has it, for what is compiled otherwise is compiled again.
    for profile in ["dev", "dev.build-override"] {
        cargo.args(["--config", &format!("profile.{profile}.debug=\"line-tables-only\"")]);
    }
    cargo.current_dir(folder).env("CARGO_NET_OFFLINE", "true").env("CARGO_TARGET_DIR", target());
    cargo.stdin(Stdio::null()).kill_on_drop(true);
    cargo
}

pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap_or(Path::new("/")).to_owned()
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files in a folder, but for what git and cargo keep there.
pub(crate) fn files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                files.push(entry.path());
            } else if entry.file_type()?.is_dir() && entry.file_name() != "target" && entry.file_name() != ".git" {
                folders.push(entry.path());
            }
        }
    }
    Ok(files)
}

/// A folder outside of the workspace, the same one each time: in another one cargo would compile everything anew, and keep
/// the old files too.
pub(crate) fn folder(name: &str) -> PathBuf {
    let mut hash = DefaultHasher::new();
    workspace().hash(&mut hash);
    std::env::temp_dir().join(format!("{name}-{:016x}", hash.finish()))
}

pub(crate) async fn succeed(command: &mut Command) -> anyhow::Result<Output> {
    let output = timeout(BUILD, command.output()).await.with_context(|| format!("{command:?} takes too long"))??;
    let said = || String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed:\n{}", said());
    Ok(output)
}
