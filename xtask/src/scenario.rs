//! `cargo xtask scenario`: makes a failure on purpose and shows its trace and what the trace says.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use clap::Args;
use testkit::scenario::{Composed, Native, Outcome, Runner, Scenario, System, table};

use crate::cargo::build_services;
use crate::file;

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Options {
    /// Scenarios by the names of their files.
    #[arg(required_unless_present_any = ["all", "list", "quiz"], value_name = "NAME")]
    names: Vec<String>,
    /// Runs every scenario, and prints a table at the end.
    #[arg(long)]
    all: bool,
    /// Prints what scenarios there are.
    #[arg(long)]
    list: bool,
    /// Uses processes of this machine with a private Postgres and test doubles of the providers. This is the default.
    #[arg(long, conflicts_with = "compose")]
    native: bool,
    /// Uses containers with real Jaeger, Mailpit and WireMock. Needs Docker.
    #[arg(long)]
    compose: bool,
    /// Runs a scenario without naming it, for you to find out what went wrong: a random one, or again the one with this
    /// number.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["names", "all", "list"])]
    #[expect(clippy::option_option, reason = "absent, without a number, with one")]
    quiz: Option<Option<u16>>,
    /// Writes there what each leaves: its trace as a picture (NAME.svg) and for `explain --file` (NAME.trace.json), the
    /// phone's answer (NAME.answer.json), and in the end the log lines of all services (services.log).
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
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
        start_and_run::<Composed>(&chosen, &options).await?
    } else {
        eprintln!("building the services, which takes minutes the first time ...");
        build_services().await?;
        start_and_run::<Native>(&chosen, &options).await?
    };
    pronounce(&outcomes)
}

async fn start_and_run<S: System>(scenarios: &[Scenario], options: &Options) -> anyhow::Result<Vec<Outcome>> {
    let mut runner = Runner::<S>::start().await?;
    let outcomes = tokio::select! {
        outcomes = run_all(&mut runner, scenarios, options) => outcomes,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let stopped = runner.stop().await;
    // The first error is the important one.
    let outcomes = outcomes?;
    stopped?;
    Ok(outcomes)
}

/// Scenarios in the order in which they were named.
fn choose(scenarios: Vec<Scenario>, options: &Options) -> anyhow::Result<Vec<Scenario>> {
    if options.all {
        return Ok(scenarios);
    }
    if let Some(number) = options.quiz {
        return Ok(vec![draw(scenarios, number)?]);
    }
    let mut chosen = Vec::new();
    for name in &options.names {
        let found = scenarios.iter().find(|scenario| scenario.name == *name);
        let found =
            found.with_context(|| format!("there is no scenario {name}: `cargo xtask scenario --list` names them"))?;
        chosen.push(found.clone());
    }
    Ok(chosen)
}

/// A random scenario, with its number as its name and without the texts that give it away.
fn draw(mut scenarios: Vec<Scenario>, number: Option<u16>) -> anyhow::Result<Scenario> {
    let found = if let Some(number) = number {
        scenarios.iter().position(|scenario| scenario.number() == number)
    } else {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        usize::try_from(now)?.checked_rem(scenarios.len())
    };
    let mut drawn = scenarios.swap_remove(found.context("no scenario has this number")?);
    drawn.name = format!("quiz-{}", drawn.number());
    "what went wrong?".clone_into(&mut drawn.title);
    Ok(drawn)
}

async fn run_all<S: System>(
    runner: &mut Runner<S>,
    scenarios: &[Scenario],
    options: &Options,
) -> anyhow::Result<Vec<Outcome>> {
    let is_quiz = options.quiz.is_some();
    let mut outcomes = Vec::new();
    for scenario in scenarios {
        let outcome = runner.run(scenario).await.with_context(|| scenario.name.clone())?;
        println!("{}", if is_quiz { outcome.quiz() } else { outcome.to_string() });
        if let Some(folder) = &options.save {
            save(folder, &outcome, is_quiz)?;
        }
        outcomes.push(outcome);
    }
    if let Some(folder) = &options.save {
        let mut lines = Vec::new();
        for line in runner.logs().await? {
            writeln!(lines, "{line}")?;
        }
        file::write(&folder.join("services.log"), lines)?;
    }
    Ok(outcomes)
}

/// Files are only written for what exists.
fn save(folder: &Path, outcome: &Outcome, is_quiz: bool) -> anyhow::Result<()> {
    let Outcome { scenario, trace, answer, .. } = outcome;
    let path = |ending: &str| folder.join(format!("{}.{ending}", scenario.name));
    if !trace.is_empty() {
        let remark = outcome.remark().filter(|_| !is_quiz);
        let remark = remark.as_ref().map(|(span_id, remark)| (*span_id, &**remark));
        file::write(&path("svg"), traces::waterfall(trace, remark))?;
        file::write(&path("trace.json"), format!("{:#}\n", traces::write::otlp(trace)))?;
    }
    if let Some(answer) = answer {
        file::write(&path("answer.json"), &answer.body)?;
    }
    Ok(())
}

fn pronounce(outcomes: &[Outcome]) -> anyhow::Result<()> {
    if outcomes.len() > 1 {
        println!("{}", table(outcomes));
    }
    let wrong = outcomes.iter().filter(|outcome| !outcome.deviations.is_empty()).count();
    ensure!(wrong == 0, "{wrong} of {} scenarios are not as expected", outcomes.len());
    Ok(())
}
