//! `cargo xtask w3c-trace-context`: runs the W3C's test suite for Trace Context against the example service.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::cargo::{cargo, succeed};

#[derive(Args)]
pub(crate) struct Options {
    /// The folder of the suite: `test/` of <https://github.com/w3c/trace-context>. It needs Python with aiohttp.
    #[arg(long, default_value = "../shared/w3c-trace-context")]
    suite: PathBuf,
}

/// Runs the whole suite at both levels of the standard, against a service that records its spans and one that does not.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let mut build = cargo();
    build.args(["build", "--quiet", "--package", "telemetry", "--example", "w3c_trace_context"]);
    succeed(build).await?;
    for exporter in ["console", "none"] {
        for level in ["1", "2"] {
            println!("level {level}, with OTEL_TRACES_EXPORTER={exporter}");
            let service = Service::start(exporter).await?;
            let mut suite = Command::new("python3");
            suite
                .current_dir(&options.suite)
                .args(["test.py", &service.url])
                .env("SERVICE_ENDPOINT", &service.url)
                .env("SPEC_LEVEL", level)
                .env("HARNESS_PORT", free_port()?.to_string())
                .env("PYTHONDONTWRITEBYTECODE", "1");
            let result = succeed(suite).await;
            result.with_context(|| format!("the suite at level {level} with {exporter}"))?;
        }
    }
    Ok(())
}

/// The suite cannot use a random port, so this picks one that is free at the moment.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The example service. Dropping this kills it.
struct Service {
    url: String,
    _process: Child,
}

impl Service {
    async fn start(exporter: &str) -> anyhow::Result<Self> {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/debug/examples/w3c_trace_context");
        let mut command = Command::new(program);
        command.env("OTEL_TRACES_EXPORTER", exporter).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().with_context(|| format!("start {program}"))?;
        let stdout = process.stdout.take().context("the service has no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let address = address(&mut lines).await?;
        // Reads the remaining output, so that the pipe does not fill up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { url: format!("http://{address}/test"), _process: process })
    }
}

async fn address(lines: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<String> {
    while let Some(line) = lines.next_line().await? {
        let line: Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(address) = line["address"].as_str() {
            return Ok(address.to_owned());
        }
    }
    bail!("the service ended before it listened")
}
