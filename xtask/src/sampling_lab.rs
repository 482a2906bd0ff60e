//! `cargo xtask sampling-lab`: what each sampler keeps, finds and costs, side by side.

mod plot;
mod report;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use testkit::postgres::Postgres;
use testkit::sampling_lab::{self, Failure, Plan, Sampler, Strategy};

use crate::cargo::build_services;

#[derive(Args)]
pub(crate) struct Options {
    /// A quarter of the submissions and of the failures.
    #[arg(long)]
    quick: bool,
    /// Prints JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Writes what the samplers find against what they export as an SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Decides about the order of requests, and whose they are.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Name::value_variants().to_vec())]
    samplers: Vec<Name>,
    /// The share that is kept where a sampler keeps one.
    #[arg(long, default_value_t = 0.05)]
    ratio: f64,
    #[arg(long, default_value_t = 1_000)]
    submissions: u32,
    /// How many of them fail in each way.
    #[arg(long, default_value_t = 20)]
    failures: u32,
    /// Requests under way at the same time.
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Kills a service and starts it again each time that so many requests have been sent. What was under way then has a row
    /// of its own; no delivery fails late.
    #[arg(long, value_name = "REQUESTS")]
    kill_every: Option<NonZeroUsize>,
}

/// A sampler, by the name that it has on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Every trace; with it, what a collector could keep that sees all of them.
    #[value(name = "always_on")]
    AlwaysOn,
    Ratio,
    Errors,
    /// As a server says: a share.
    #[value(name = "jaeger_remote")]
    Jaeger,
    /// As a server says: so many a second.
    #[value(name = "jaeger_remote_rate")]
    JaegerRate,
    /// Twice the share of submissions, nothing of another route, and the share of all others.
    Rules,
}

/// Traces a second that the server of strategies allows.
const RATE: u32 = 4;

impl Name {
    fn sampler(self, ratio: f64) -> Sampler {
        match self {
            Self::AlwaysOn => Sampler::AlwaysOn,
            Self::Ratio => Sampler::Ratio(ratio),
            Self::Errors => Sampler::Errors(ratio),
            Self::Jaeger => Sampler::Jaeger(Strategy::Probability(ratio)),
            Self::JaegerRate => Sampler::Jaeger(Strategy::PerSecond(RATE)),
            Self::Rules => Sampler::Rules { otherwise: ratio, submissions: (2.0 * ratio).min(1.0) },
        }
    }
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    anyhow::ensure!((0.0..=1.0).contains(&options.ratio), "{} is no ratio from 0 to 1", options.ratio);
    build_services().await?;
    let plan = plan(&options);
    let mut postgres = Postgres::builder().fsync(false).start().await?;
    let cluster = postgres.cluster();
    cluster.create_template().await?;
    let rows = tokio::select! {
        rows = sampling_lab::run(&plan, &cluster) => rows?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    };
    postgres.stop().await?;
    if let Some(file) = &options.plot {
        std::fs::write(file, plot::plot(&rows)).with_context(|| format!("write {}", file.display()))?;
    }
    if options.json {
        println!("{:#}", report::document(&plan, &rows)?);
    } else {
        println!("{}", report::tables(&rows)?);
    }
    Ok(())
}

fn plan(options: &Options) -> Plan {
    let Options { quick, submissions, failures, .. } = *options;
    let (submissions, failures) = if quick { (submissions / 4, failures / 4) } else { (submissions, failures) };
    let kills = options.kill_every.is_some();
    Plan {
        samplers: options.samplers.iter().map(|name| name.sampler(options.ratio)).collect(),
        yardstick: Some(options.ratio),
        submissions,
        failures,
        // With kills a provider that takes seconds for an answer is not waited for.
        ways: Failure::ALL.into_iter().filter(|way| !kills || *way != Failure::LateDelivery).collect(),
        kill_every: options.kill_every,
        clients: options.clients.max(1),
        seed: options.seed,
    }
}
