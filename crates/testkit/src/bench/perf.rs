//! Profiles the services' CPU time and counts their allocations, with Linux's `perf` and kernel probes.

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

/// Samples a second: a prime, so that sampling does not synchronise with work that repeats a thousand times a second.
const FREQUENCY: &str = "997";
/// Records up to this many bytes of each stack. Nested futures make deep stacks.
const STACK: &str = "dwarf,32768";
/// The time for `perf` to write its last samples.
const WRITTEN: Duration = Duration::from_secs(30);

/// A running `perf record` of the services.
#[derive(Debug)]
pub(super) struct Recording {
    perf: Child,
    services: Vec<(u32, String)>,
}

impl Recording {
    /// Samples the stacks of the services that this process has started and writes them to a file in perf's own format.
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

    /// Stops the recording. Returns the process ids and names of the recorded services.
    pub(super) async fn stop(mut self) -> anyhow::Result<Vec<(u32, String)>> {
        let pid = self.perf.id().and_then(|id| Pid::from_raw(id.cast_signed())).context("perf has ended by itself")?;
        kill_process(pid, Signal::INT).context("stop perf")?;
        timeout(WRITTEN, self.perf.wait()).await.context("perf does not end")??;
        Ok(self.services)
    }
}

/// The functions that Rust's allocations end in: see the implementation of `GlobalAlloc` in the crate mimalloc.
const FUNCTIONS: [&str; 3] = ["mi_malloc_aligned", "mi_zalloc_aligned", "mi_realloc_aligned"];
const TRACING: &str = "/sys/kernel/tracing";
const GROUP: &str = "bench_allocations";

/// Kernel probes at the allocation functions of the services. Dropping this removes them.
#[derive(Debug)]
pub(super) struct Allocations;

impl Allocations {
    /// Sets the probes in the programs of a folder. The programs must have their symbols.
    ///
    /// # Errors
    /// When there is no perf, or this user may not set probes.
    pub(super) fn count_in(folder: &Path) -> anyhow::Result<Self> {
        // Removes those that a killed run has left.
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

    /// The number of allocations and reallocations so far; zero when they are not counted.
    pub(super) fn so_far(counted: Option<&Self>) -> anyhow::Result<u64> {
        if counted.is_none() {
            return Ok(0);
        }
        let path = format!("{TRACING}/uprobe_profile");
        let profile = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        // The fields are program, event, hits, misses.
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
    // Fails when there are no probes; then there is nothing to remove.
    if switch("0").is_ok() {
        let mut perf = std::process::Command::new("perf");
        let _ = perf.args(["probe", "--quiet", "--del", &format!("{GROUP}:*")]).output();
    }
}
