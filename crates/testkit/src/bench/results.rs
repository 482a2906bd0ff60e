//! What a bench has found out.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::{Level, Yardstick};
use crate::stack::Service;

/// What a variant has done at a level, in all rounds together.
#[derive(Debug)]
pub struct Measured {
    pub variant: String,
    pub level: Level,
    pub stored: u64,
    /// Answers other than 201.
    pub refused: u64,
    /// How long submissions came, and how long it took until everything was delivered.
    pub loaded: Duration,
    pub delivered: Duration,
    /// From a request to its answer, in microseconds.
    pub latency: Histogram<u64>,
    /// From an answer to the report's last message, in microseconds.
    pub told: Histogram<u64>,
    pub messages: u64,
    pub spans: u64,
    /// By service, and `postgres`.
    pub cpu: BTreeMap<String, Duration>,
    pub switches: BTreeMap<String, u64>,
    /// Of the five services; zero where they were not counted.
    pub allocations: u64,
    /// Bytes that the five services have in memory at the end of the level's last round.
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

    /// Submissions a second, answered.
    pub fn answered_per_second(&self) -> f64 {
        per(self.stored, self.loaded)
    }

    /// Submissions a second, with everything delivered.
    pub fn sustained_per_second(&self) -> f64 {
        per(self.stored, self.delivered)
    }

    /// Milliseconds of CPU a submission in the five services.
    pub fn cpu_of_services(&self) -> f64 {
        self.cpu.iter().filter(|(name, _)| is_service(name)).map(|(_, cpu)| self.each(*cpu)).sum()
    }

    /// Milliseconds of CPU a submission in one of them, or in `postgres`.
    pub fn cpu_of(&self, name: &str) -> f64 {
        self.cpu.get(name).map(|cpu| self.each(*cpu)).unwrap_or_default()
    }

    /// Context switches a submission in the five services.
    pub fn switches_of_services(&self) -> f64 {
        let switches: u64 = self.switches.iter().filter(|(name, _)| is_service(name)).map(|(_, count)| count).sum();
        self.share(switches)
    }

    /// Allocations a submission in the five services, if they were counted.
    pub fn allocations_each(&self) -> Option<f64> {
        (self.allocations > 0).then(|| self.share(self.allocations))
    }

    /// Spans a submission.
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

/// What the five services together take up.
#[derive(Debug, Default, Clone)]
pub struct Footprint {
    pub variant: String,
    /// Bytes of their five programs.
    pub programs: u64,
    /// How long the five took to be ready, one beside the other, with Postgres there; and until the first submission's trace
    /// had come to the collector.
    pub ready: Duration,
    pub first_trace: Duration,
    /// Bytes of the database before the load.
    pub database: u64,
    pub at_start: Memory,
    pub after_logins: Memory,
    pub at_end: Memory,
    /// The sum of each one's peak, in bytes.
    pub peak: u64,
}

/// Bytes in memory.
#[derive(Debug, Default, Clone, Copy)]
pub struct Memory {
    pub resident: u64,
    /// As far as it is not a program's text, which the kernel can read again.
    pub anonymous: u64,
}

/// What a whole run has found out.
#[derive(Debug)]
pub struct Results {
    pub measured: Vec<Measured>,
    /// Of each variant in the last round.
    pub footprints: Vec<Footprint>,
    pub yardstick: Option<Yardstick>,
    /// The services whose stacks were recorded: a process's id and its name.
    pub recorded: Vec<(u32, String)>,
}

impl Results {
    /// Of levels that were measured without a Postgres of one's own.
    pub fn of(measured: Vec<Measured>) -> Self {
        Self { measured, footprints: Vec::new(), yardstick: None, recorded: Vec::new() }
    }
}
