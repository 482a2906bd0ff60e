//! What samplers keep under a load with known failures.

use std::num::NonZeroUsize;

use testkit::postgres::Cluster;
use testkit::sampling_lab::{self, Failure, Plan, Row, Sampler, interval};
use testkit::stack::Service;

/// One failure in each service. The patient's answer reports the first four.
const FAILURES: [Failure; 5] = [
    Failure::Answer(Service::Gateway),
    Failure::Answer(Service::UserSvc),
    Failure::Answer(Service::EproSvc),
    Failure::Answer(Service::DataSvc),
    Failure::Hint,
];
const EACH: u32 = 5;

/// So high that a test never fails by chance.
const CERTAIN: f64 = 1.0 - 1e-9;

fn plan(sampler: Sampler, submissions: u32) -> Plan {
    Plan {
        samplers: vec![sampler],
        baseline: None,
        submissions,
        failures: EACH,
        ways: FAILURES.to_vec(),
        clients: 8,
        kill_every: None,
        seed: 20_261_128,
    }
}

async fn run(sampler: Sampler, submissions: u32) -> anyhow::Result<Row> {
    let mut rows = sampling_lab::run(&plan(sampler, submissions), &Cluster::from_env()?).await?;
    anyhow::ensure!(rows.len() == 1, "a row for one sampler");
    Ok(rows.remove(0))
}

#[tokio::test]
async fn errors_without_a_ratio_keep_each_failing_path_that_somebody_waits_for_and_nothing_that_ends_well()
-> anyhow::Result<()> {
    let row = run(Sampler::Errors(0.0), 60).await?;
    for failure in FAILURES {
        let caught = row.caught(|other| other == failure);
        assert!(caught.sent > 0, "{failure}: {:?}", row.unplanned);
        assert_eq!((caught.caught, caught.waited), (caught.sent, caught.sent), "{failure}");
        if failure.is_answered() {
            assert_eq!(caught.complete, caught.sent, "{failure}: the path does not begin at the root");
        }
    }
    for (route, counted) in &row.routes {
        // Not how many are kept: a call that fails because the machine is busy is kept too.
        assert_eq!((counted.good, counted.chosen), (0, 0), "{}: {counted:?}, {:?}", route.name(), row.unplanned);
    }
    Ok(())
}

#[tokio::test]
async fn errors_with_a_ratio_keep_that_share_besides_and_every_service_the_same_traces() -> anyhow::Result<()> {
    let row = run(Sampler::Errors(0.5), 200).await?;
    let counted = row.submissions();
    assert!(interval(counted.chosen, counted.sent, CERTAIN)?.contains(&0.5), "{counted:?}");
    assert_eq!(counted.good, counted.whole, "the five services do not agree: {counted:?}");
    let caught = row.caught(Failure::is_answered);
    assert_eq!((caught.caught, caught.complete), (caught.sent, caught.sent));
    Ok(())
}

#[tokio::test]
async fn a_killed_service_takes_along_only_what_it_had_of_a_failing_path_or_was_to_have() -> anyhow::Result<()> {
    let kill_every = NonZeroUsize::new(60);
    let plan = Plan { kill_every, failures: 4 * EACH, ..plan(Sampler::Errors(0.0), 320) };
    let rows = sampling_lab::run(&plan, &Cluster::from_env()?).await?;
    let [calm, killed] = &rows[..] else { anyhow::bail!("{} rows", rows.len()) };
    let (caught, near) = (calm.caught(Failure::is_answered), killed.caught(Failure::is_answered));
    assert_eq!((caught.caught, caught.complete), (caught.sent, caught.sent), "far from a kill");
    assert!(near.sent > 0, "no failure was near a kill");
    assert_eq!(killed.unexplained, 0, "{near:?}");
    Ok(())
}
