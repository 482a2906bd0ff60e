//! Cargo, for building what is to be run.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context, ensure};
use tokio::process::Command;

/// The five services' binaries, in the profile that xtask itself was built in. Cargo shows how far it is: a bar on a
/// terminal, a line for each crate elsewhere.
pub(crate) async fn build_services() -> anyhow::Result<()> {
    build_services_and(&[]).await
}

/// The same, and other binaries.
pub(crate) async fn build_services_and(binaries: &[&str]) -> anyhow::Result<()> {
    succeed(services_build(binaries)?).await
}

/// The command that builds them. Not by their packages, as which they would have features of their own, and their
/// dependencies would be built a second time.
pub(crate) fn services_build(binaries: &[&str]) -> anyhow::Result<Command> {
    let mut command = cargo();
    command.arg("build");
    for binary in testkit::stack::Service::ALL.iter().map(|service| service.name()).chain(binaries.iter().copied()) {
        command.args(["--bin", binary]);
    }
    // A profile is the name of its folder, but for the first one.
    let program = std::env::current_exe().context("find this program")?;
    let profile = program.parent().and_then(Path::file_name).context("the folder of this program has no name")?;
    command.arg("--profile").arg(if profile == "debug" { OsStr::new("dev") } else { profile });
    Ok(command)
}

/// Cargo as it was called.
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
