//! `cargo xtask scenario`: a failure on purpose, its trace, and what the trace says of it.

use anyhow::{Context, ensure};
use clap::Args;
use testkit::scenario::{Composed, Native, Outcome, Runner, Scenario, System, table};

use crate::cargo::build_services;

#[derive(Args)]
pub(crate) struct Options {
    /// Scenarios by the names of their files.
    #[arg(required_unless_present_any = ["all", "list"], value_name = "NAME")]
    names: Vec<String>,
    /// Runs every scenario, and prints a table at the end.
    #[arg(long)]
    all: bool,
    /// Prints what scenarios there are.
    #[arg(long)]
    list: bool,
    /// On processes of this machine, with a private Postgres and stand-ins for the providers; the default.
    #[arg(long, conflicts_with = "compose")]
    native: bool,
    /// On containers of their own, with the real Jaeger, Mailpit and WireMock; needs Docker.
    #[arg(long)]
    compose: bool,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let scenarios = Scenario::all(&Scenario::folder())?;
    if options.list {
        for Scenario { name, title, .. } in &scenarios {
            println!("{name:30} {title}");
        }
        return Ok(());
    }
    let chosen = choose(scenarios, &options)?;
    let outcomes = if options.compose {
        start_and_run::<Composed>(&chosen).await?
    } else {
        eprintln!("building the services, which takes minutes the first time ...");
        build_services().await?;
        start_and_run::<Native>(&chosen).await?
    };
    pronounce(&outcomes)
}

async fn start_and_run<S: System>(scenarios: &[Scenario]) -> anyhow::Result<Vec<Outcome>> {
    let mut runner = Runner::<S>::start().await?;
    let outcomes = tokio::select! {
        outcomes = run_all(&mut runner, scenarios) => outcomes,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let stopped = runner.stop().await;
    // The first error is the one that matters.
    let outcomes = outcomes?;
    stopped?;
    Ok(outcomes)
}

fn choose(mut scenarios: Vec<Scenario>, options: &Options) -> anyhow::Result<Vec<Scenario>> {
    if options.all {
        return Ok(scenarios);
    }
    for name in &options.names {
        let exists = scenarios.iter().any(|scenario| scenario.name == *name);
        ensure!(exists, "there is no scenario {name}: `cargo xtask scenario --list` names them");
    }
    scenarios.retain(|scenario| options.names.contains(&scenario.name));
    Ok(scenarios)
}

async fn run_all<S: System>(runner: &mut Runner<S>, scenarios: &[Scenario]) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for scenario in scenarios {
        let outcome = runner.run(scenario).await.with_context(|| scenario.name.clone())?;
        println!("{outcome}");
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn pronounce(outcomes: &[Outcome]) -> anyhow::Result<()> {
    if outcomes.len() > 1 {
        println!("{}", table(outcomes));
    }
    let wrong = outcomes.iter().filter(|outcome| !outcome.deviations.is_empty()).count();
    ensure!(wrong == 0, "{wrong} of {} scenarios are not as expected", outcomes.len());
    Ok(())
}
