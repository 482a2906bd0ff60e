//! Docker commands and free ports.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use super::Container;

pub(super) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A process group of its own, so that Ctrl-C does not interrupt it and leaves time to clean up.
pub(super) fn docker(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    command
}

/// Runs a command and returns its output.
pub(super) async fn run(mut command: Command, deadline: Duration) -> anyhow::Result<String> {
    let output: Output = timeout(deadline, command.output()).await.context("docker took too long")??;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(super) fn parse(line: &str) -> anyhow::Result<Container> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [service, status, exit_code, restarts, image] = fields[..] else { anyhow::bail!("no container: {line}") };
    Ok(Container {
        service: service.to_owned(),
        status: status.to_owned(),
        exit_code: exit_code.parse()?,
        restarts: restarts.parse()?,
        image: image.to_owned(),
    })
}

/// The first of `count` consecutive free ports.
///
/// # Errors
/// When there is no such range.
pub fn free_range(count: u16) -> anyhow::Result<u16> {
    for _ in 0..100 {
        let [first] = free_ports::<1>()?;
        let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if first.checked_add(count).is_some_and(|end| (first..end).all(is_free)) {
            return Ok(first);
        }
    }
    anyhow::bail!("there are no {count} free ports one after the other")
}

/// Free ports. All stay bound until the last one is found, so that they differ.
pub(super) fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}
