//! Cargo commands that build the programs to run.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context, ensure};
use tokio::process::Command;

/// Builds the five services in the profile of xtask itself. Cargo shows its progress: a bar on a terminal, otherwise a
/// line for each crate.
pub(crate) async fn build_services() -> anyhow::Result<()> {
    build_services_and(&[]).await
}

/// As [`build_services`], with additional binaries.
pub(crate) async fn build_services_and(binaries: &[&str]) -> anyhow::Result<()> {
    succeed(services_build(binaries)?).await
}

/// The build command. It names binaries and not packages, because with packages cargo would choose other features and
/// build the dependencies a second time.
pub(crate) fn services_build(binaries: &[&str]) -> anyhow::Result<Command> {
    let mut command = cargo();
    command.arg("build");
    for binary in testkit::stack::Service::ALL.iter().map(|service| service.name()).chain(binaries.iter().copied()) {
        command.args(["--bin", binary]);
    }
    // The name of the profile is that of the folder, except for `dev`, whose folder is `debug`.
    let program = std::env::current_exe().context("find this program")?;
    let profile = program.parent().and_then(Path::file_name).context("the folder of this program has no name")?;
    command.arg("--profile").arg(if profile == "debug" { OsStr::new("dev") } else { profile });
    Ok(command)
}

/// The cargo that runs xtask.
pub(crate) fn cargo() -> Command {
    testkit::cargo::cargo().into()
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub(crate) async fn succeed(mut command: Command) -> anyhow::Result<()> {
    let program = command.as_std().get_program().display().to_string();
    let status = command.kill_on_drop(true).status().await.with_context(|| format!("run {program}"))?;
    ensure!(status.success(), "{program} ended with {status}");
    Ok(())
}
