//! `cargo xtask sampling-lab`: compares what each sampler keeps, finds and costs.

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
    /// Decides the order of requests and their patients.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Name::value_variants().to_vec())]
    samplers: Vec<Name>,
    /// The ratio for samplers that keep a ratio.
    #[arg(long, default_value_t = 0.05)]
    ratio: f64,
    #[arg(long, default_value_t = 1_000)]
    submissions: u32,
    /// How many submissions fail in each way.
    #[arg(long, default_value_t = 20)]
    failures: u32,
    /// Requests in flight at the same time.
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Kills a service and starts it again each time that this many requests were sent. Requests in flight at that time
    /// have a row of their own, and no delivery fails late.
    #[arg(long, value_name = "REQUESTS")]
    kill_every: Option<NonZeroUsize>,
}

/// A sampler, by the name that it has on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Every trace. Adds the row of an ideal collector that sees all traces.
    #[value(name = "always_on")]
    AlwaysOn,
    Ratio,
    Errors,
    /// A ratio from a strategy server.
    #[value(name = "jaeger_remote")]
    Jaeger,
    /// A number of traces a second from a strategy server.
    #[value(name = "jaeger_remote_rate")]
    JaegerRate,
    /// Keeps twice the ratio of submissions, nothing of another route, and the ratio of all others.
    Rules,
}

/// The traces a second that the strategy server allows.
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
        baseline: Some(options.ratio),
        submissions,
        failures,
        // With kills there are no late failures, because the run does not wait for a slow provider then.
        ways: Failure::ALL.into_iter().filter(|way| !kills || *way != Failure::LateDelivery).collect(),
        kill_every: options.kill_every,
        clients: options.clients.max(1),
        seed: options.seed,
    }
}
