//! `cargo xtask scenario`: a failure on purpose, its trace, and what the trace says of it.

use anyhow::{Context, ensure};
use clap::Args;
use testkit::scenario::{Outcome, Runner, Scenario, table};

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
    eprintln!("building the services, which takes minutes the first time ...");
    build_services().await?;
    let mut runner = Runner::start().await?;
    let outcomes = tokio::select! {
        outcomes = run_all(&mut runner, &chosen) => outcomes,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let stopped = runner.stop().await;
    pronounce(&outcomes?)?;
    stopped
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

async fn run_all(runner: &mut Runner, scenarios: &[Scenario]) -> anyhow::Result<Vec<Outcome>> {
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
