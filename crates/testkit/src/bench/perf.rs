//! Where the services' time goes and what they allocate, by Linux's `perf` and the kernel's probes.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::usage;
use crate::stack::Service;

/// Samples a second: a prime, so that they do not fall into step with what is done a thousand times a second.
const FREQUENCY: &str = "997";
/// As much of a stack as is kept of each sample, in bytes: services of futures in futures have deep ones.
const STACK: &str = "dwarf,32768";
/// For perf to write the last of them.
const WRITTEN: Duration = Duration::from_secs(30);

/// A `perf record` of the services, which runs until it is stopped.
#[derive(Debug)]
pub(super) struct Recording {
    perf: Child,
    services: Vec<(u32, String)>,
}

impl Recording {
    /// Samples the stacks of the services that this process has started, into a file of perf's own format.
    pub(super) fn start(file: &Path) -> anyhow::Result<Self> {
        let services = usage::services()?;
        let ids: Vec<_> = services.iter().map(|(id, _)| id.to_string()).collect();
        let mut perf = Command::new("perf");
        perf.args([
            "record",
            "--quiet",
            "--freq",
            FREQUENCY,
            "--call-graph",
            STACK,
            "--pid",
            &ids.join(","),
            "--output",
        ]);
        perf.arg(file).stdin(Stdio::null()).kill_on_drop(true);
        Ok(Self { perf: perf.spawn().context("start perf")?, services })
    }

    /// Gives whose stacks these are, by the process's id.
    pub(super) async fn stop(mut self) -> anyhow::Result<Vec<(u32, String)>> {
        let pid = self.perf.id().and_then(|id| Pid::from_raw(id.cast_signed())).context("perf has ended by itself")?;
        kill_process(pid, Signal::INT).context("stop perf")?;
        timeout(WRITTEN, self.perf.wait()).await.context("perf does not end")??;
        Ok(self.services)
    }
}

/// What Rust's allocations end in; see the implementation of `GlobalAlloc` in the crate mimalloc.
const FUNCTIONS: [&str; 3] = ["mi_malloc_aligned", "mi_zalloc_aligned", "mi_realloc_aligned"];
const TRACING: &str = "/sys/kernel/tracing";
const GROUP: &str = "bench_allocations";

/// A probe at each function of the services' that allocates. It is gone with this value.
#[derive(Debug)]
pub(super) struct Allocations;

impl Allocations {
    /// Has the kernel count in the programs of a folder, which need the names of their functions.
    ///
    /// # Errors
    /// When there is no perf, or this user may not set probes.
    pub(super) fn count_in(folder: &Path) -> anyhow::Result<Self> {
        // Of a run that was killed.
        remove();
        let probes = Self;
        for service in Service::ALL {
            let mut perf = std::process::Command::new("perf");
            perf.args(["probe", "--exec"]).arg(folder.join(service.name()));
            for function in FUNCTIONS {
                let name = format!("{}_{function}", service.name().replace('-', "_"));
                perf.args(["--add", &format!("{GROUP}:{name}={function}")]);
            }
            let output = perf.output().context("start perf")?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "perf cannot count allocations of {}: {said}", service.name());
        }
        switch("1").context("have the kernel count")?;
        Ok(probes)
    }

    /// How often they have allocated so far, or enlarged what they had; zero where that is not counted.
    pub(super) fn so_far(counted: Option<&Self>) -> anyhow::Result<u64> {
        if counted.is_none() {
            return Ok(0);
        }
        let path = format!("{TRACING}/uprobe_profile");
        let profile = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        // Program, event, hits, misses.
        let hits = profile.lines().filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let ours = FUNCTIONS.iter().any(|function| fields.get(1).is_some_and(|event| event.ends_with(function)));
            if ours { fields.get(2)?.parse::<u64>().ok() } else { None }
        });
        Ok(hits.sum())
    }
}

impl Drop for Allocations {
    fn drop(&mut self) {
        remove();
    }
}

fn switch(to: &str) -> std::io::Result<()> {
    fs::write(format!("{TRACING}/events/{GROUP}/enable"), to)
}

fn remove() {
    // There may be none; then there is nothing to do.
    if switch("0").is_ok() {
        let mut perf = std::process::Command::new("perf");
        let _ = perf.args(["probe", "--quiet", "--del", &format!("{GROUP}:*")]).output();
    }
}
