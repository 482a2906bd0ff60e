//! The results of a benchmark.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::{Level, PgbenchBaseline};
use crate::stack::Service;

/// The results of one variant at one level, over all rounds.
#[derive(Debug)]
pub struct Measured {
    pub variant: String,
    pub level: Level,
    pub stored: u64,
    /// Answers other than 201.
    pub refused: u64,
    /// How long submissions were made, and how long it took until everything was delivered.
    pub loaded: Duration,
    pub delivered: Duration,
    /// From request to answer, in microseconds.
    pub latency: Histogram<u64>,
    /// From the answer to the report's last message, in microseconds.
    pub told: Histogram<u64>,
    pub messages: u64,
    pub spans: u64,
    /// CPU time by service, and of `postgres`.
    pub cpu: BTreeMap<String, Duration>,
    pub switches: BTreeMap<String, u64>,
    /// Of the five services; zero when they were not counted.
    pub allocations: u64,
    /// Resident memory of the five services at the end of the level's last round, in bytes.
    pub resident: u64,
}

impl Measured {
    pub(super) fn new(variant: &str, level: Level) -> anyhow::Result<Self> {
        Ok(Self {
            variant: variant.to_owned(),
            level,
            stored: 0,
            refused: 0,
            loaded: Duration::ZERO,
            delivered: Duration::ZERO,
            latency: Histogram::new_with_max(60_000_000, 3)?,
            told: Histogram::new_with_max(300_000_000, 3)?,
            messages: 0,
            spans: 0,
            cpu: BTreeMap::new(),
            switches: BTreeMap::new(),
            allocations: 0,
            resident: 0,
        })
    }

    /// Answered submissions a second.
    pub fn answered_per_second(&self) -> f64 {
        per(self.stored, self.loaded)
    }

    /// Submissions a second, counted until everything was delivered.
    pub fn sustained_per_second(&self) -> f64 {
        per(self.stored, self.delivered)
    }

    /// Milliseconds of CPU per submission in the five services.
    pub fn cpu_of_services(&self) -> f64 {
        self.cpu.iter().filter(|(name, _)| is_service(name)).map(|(_, cpu)| self.each(*cpu)).sum()
    }

    /// Milliseconds of CPU per submission in one service, or in `postgres`.
    pub fn cpu_of(&self, name: &str) -> f64 {
        self.cpu.get(name).map(|cpu| self.each(*cpu)).unwrap_or_default()
    }

    /// Context switches per submission in the five services.
    pub fn switches_of_services(&self) -> f64 {
        let switches: u64 = self.switches.iter().filter(|(name, _)| is_service(name)).map(|(_, count)| count).sum();
        self.share(switches)
    }

    /// Allocations per submission in the five services, if they were counted.
    pub fn allocations_each(&self) -> Option<f64> {
        (self.allocations > 0).then(|| self.share(self.allocations))
    }

    /// Spans per submission.
    pub fn spans_each(&self) -> f64 {
        self.share(self.spans)
    }

    #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
    fn share(&self, count: u64) -> f64 {
        count as f64 / self.stored.max(1) as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
    fn each(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1e3 / self.stored.max(1) as f64
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are not so many")]
fn per(count: u64, duration: Duration) -> f64 {
    count as f64 / duration.as_secs_f64().max(f64::EPSILON)
}

pub(crate) fn is_service(name: &str) -> bool {
    Service::ALL.iter().any(|service| service.name() == name)
}

/// The footprint of the five services together.
#[derive(Debug, Default, Clone)]
pub struct Footprint {
    pub variant: String,
    /// The size of their five binaries, in bytes.
    pub programs: u64,
    /// The time from the start until all five services were ready, and until the trace of the first submission had
    /// arrived. Postgres was running already.
    pub ready: Duration,
    pub first_trace: Duration,
    /// The size of the database before the load, in bytes.
    pub database: u64,
    pub at_start: Memory,
    pub after_logins: Memory,
    pub at_end: Memory,
    /// The sum of the peak of each service, in bytes.
    pub peak: u64,
}

/// Memory in bytes.
#[derive(Debug, Default, Clone, Copy)]
pub struct Memory {
    pub resident: u64,
    /// Anonymous memory: without pages that the kernel can read from a file again, such as a program's text.
    pub anonymous: u64,
}

/// The results of a whole run.
#[derive(Debug)]
pub struct Results {
    pub measured: Vec<Measured>,
    /// The footprint of each variant in the last round.
    pub footprints: Vec<Footprint>,
    pub baseline: Option<PgbenchBaseline>,
    /// The services whose stacks were recorded: a process's id and its name.
    pub recorded: Vec<(u32, String)>,
}

impl Results {
    /// For levels that were measured on a server that is not ours.
    pub fn of(measured: Vec<Measured>) -> Self {
        Self { measured, footprints: Vec::new(), baseline: None, recorded: Vec::new() }
    }
}
