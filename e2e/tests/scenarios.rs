//! Runs every file under `scenarios/` on native processes and compares the trace with the file.

use futures_util::future::try_join_all;
use testkit::scenario::{Native, Outcome, Runner, Scenario};

/// The number of parallel stacks. Scenarios mostly wait.
const STACKS: usize = 3;

async fn run_on_one(scenarios: Vec<&Scenario>) -> anyhow::Result<Vec<Outcome>> {
    let mut runner = Runner::<Native>::start().await?;
    let mut outcomes = Vec::new();
    for scenario in scenarios {
        outcomes.push(runner.run(scenario).await.map_err(|error| error.context(scenario.name.clone()))?);
    }
    runner.stop().await?;
    Ok(outcomes)
}

#[tokio::test]
async fn the_trace_of_every_scenario_says_what_went_wrong_and_says_otherwise_without_it() -> anyhow::Result<()> {
    let scenarios = Scenario::all(&Scenario::folder())?;
    let parts = (0..STACKS).map(|part| run_on_one(scenarios.iter().skip(part).step_by(STACKS).collect()));
    let outcomes: Vec<_> = try_join_all(parts).await?.into_iter().flatten().collect();
    assert_eq!(outcomes.len(), scenarios.len());
    let wrong: Vec<_> = outcomes.iter().filter(|outcome| !outcome.deviations.is_empty()).collect();
    assert!(wrong.is_empty(), "{}", wrong.iter().map(ToString::to_string).collect::<String>());
    Ok(())
}
