//! Resource usage of processes, from `/proc` (`proc_pid_stat(5)`, `proc_pid_status(5)`).

use std::collections::BTreeMap;
use std::fs;
use std::ops::Sub;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::results::is_service;

/// The usage of a service, or of Postgres with all its backends.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// Context switches, voluntary or not.
    pub(crate) switches: u64,
    /// Resident memory in bytes, now and at its peak. Shared memory counts for each process that has it.
    pub(crate) resident: u64,
    pub(crate) peak: u64,
    /// The anonymous part of the resident memory, which no file backs.
    pub(crate) anonymous: u64,
}

impl Usage {
    fn add(&mut self, other: &Self) {
        self.cpu += other.cpu;
        self.switches += other.switches;
        self.resident += other.resident;
        self.peak += other.peak;
        self.anonymous += other.anonymous;
    }
}

/// The usage since an earlier one. Memory is not subtracted.
impl Sub for Usage {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            switches: self.switches.saturating_sub(before.switches),
            ..self
        }
    }
}

/// The kernel's unit of CPU time in `/proc`.
const TICK: Duration = Duration::from_millis(10);

struct Process {
    id: u32,
    parent: u32,
    name: String,
    /// Includes the CPU time of its children that have ended.
    cpu: Duration,
}

/// The usage of every child of this process, by name. Descendants count with the child that they descend from.
///
/// # Errors
/// When there is no `/proc`.
pub(crate) fn of_children() -> anyhow::Result<BTreeMap<String, Usage>> {
    let processes = processes()?;
    let mut usages: BTreeMap<String, Usage> = BTreeMap::new();
    for process in &processes {
        if let Some(child) = ancestor_below(std::process::id(), process, &processes) {
            usages.entry(child.name.clone()).or_default().add(&usage(process));
        }
    }
    Ok(usages)
}

/// The services among the children of this process, with id and name.
pub(super) fn services() -> anyhow::Result<Vec<(u32, String)>> {
    let processes = processes()?.into_iter();
    let ours = processes.filter(|process| process.parent == std::process::id() && is_service(&process.name));
    Ok(ours.map(|process| (process.id, process.name)).collect())
}

fn processes() -> anyhow::Result<Vec<Process>> {
    let entries = fs::read_dir("/proc").context("read /proc")?;
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // A process may end between the listing and the reading. It is left out.
    Ok(ids.filter_map(process).collect())
}

fn process(id: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u32>().ok();
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some(Process { id, parent: number(1)?, name: name.to_owned(), cpu: TICK * ticks })
}

/// The child of `root` that this process is or descends from.
fn ancestor_below<'p>(root: u32, process: &'p Process, all: &'p [Process]) -> Option<&'p Process> {
    let mut process = process;
    while process.parent != root {
        process = all.iter().find(|other| other.id == process.parent)?;
    }
    Some(process)
}

fn usage(process: &Process) -> Usage {
    let folder = format!("/proc/{}", process.id);
    let status = fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
    let tasks = fs::read_dir(format!("{folder}/task")).into_iter().flatten().flatten();
    Usage {
        cpu: process.cpu,
        switches: tasks.map(|task| switches(&task.path())).sum(),
        resident: field(&status, "VmRSS:") * 1024,
        peak: field(&status, "VmHWM:") * 1024,
        anonymous: field(&status, "RssAnon:") * 1024,
    }
}

fn switches(task: &Path) -> u64 {
    let status = fs::read_to_string(task.join("status")).unwrap_or_default();
    field(&status, "voluntary_ctxt_switches:") + field(&status, "nonvoluntary_ctxt_switches:")
}

/// A number in a status file; zero when the field is missing.
fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_childs_work_counts_and_that_of_its_children() {
        let started = Instant::now();
        let work = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; (i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done); read _";
        let mut child = Command::new("sh").args(["-c", work]).stdin(Stdio::piped()).spawn().unwrap();
        let used = || of_children().unwrap().get("sh").copied().unwrap_or_default();
        while used().cpu < TICK * 2 && started.elapsed() < Duration::from_mins(1) {
            std::thread::yield_now();
        }
        let used = used();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(used.cpu >= TICK * 2 && used.resident > 0 && used.peak >= used.resident, "{used:?}");
    }
}
