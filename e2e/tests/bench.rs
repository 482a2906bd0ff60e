//! The benchmark counts every stored report and every delivery.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use testkit::bench::{self, Footprint, Level, Plan, Population, Variant};
use testkit::contract;
use testkit::stack::Service;

/// The folder of this test's binary, which cargo also puts the services' binaries in.
fn binaries() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.parent().and_then(|deps| deps.parent()).context("a test is in a folder of cargo's")?.to_owned())
}

#[tokio::test]
async fn every_report_of_a_bench_is_told_and_its_spans_are_counted() -> anyhow::Result<()> {
    let binaries = binaries()?;
    let sinks = (binaries.join("xtask"), "bench-sinks");
    let population = Population { sites: 2, nurses_per_site: 1, patients: 8, reports: 100 };
    let variants = vec![Variant { name: "this build".to_owned(), binaries, environment: vec![], population }];
    let plan = Plan {
        variants,
        rounds: 1,
        levels: vec![Level::Clients(2), Level::Rate(5.0)],
        duration: Duration::from_secs(2),
        statements: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.sqlx")),
        stacks: None,
        allocations: false,
        sinks,
    };
    let results = bench::run(&plan).await?;
    for measured in &results.measured {
        assert_eq!((measured.refused, measured.messages), (0, 2 * measured.stored), "an SMS and a mail each");
        assert_eq!((measured.latency.len(), measured.told.len()), (measured.stored, measured.stored));
        let spans = contract::submit_report(1).size() as u64;
        assert!(measured.spans >= spans * measured.stored, "{} spans of {}", measured.spans, measured.stored);
        assert!(Service::ALL.iter().all(|service| measured.cpu.contains_key(service.name())));
    }
    let [closed, open] = &results.measured[..] else { anyhow::bail!("there are two levels") };
    assert!(closed.stored > 0);
    assert_eq!(open.stored, 10, "five a second");
    let [footprint] = &results.footprints[..] else { anyhow::bail!("there is one variant") };
    let Footprint { programs, ready, first_trace, at_start, at_end, peak, .. } = footprint;
    assert!(at_start.anonymous > 0 && at_start.resident > at_start.anonymous && *peak >= at_end.resident);
    assert!(*programs > 0 && first_trace > ready);
    let baseline = results.baseline.context("there is a pgbench beside the server")?;
    assert!(baseline.per_second > 0.0 && baseline.cpu > 0.0);
    // BEGIN and COMMIT have no plan. Neither has the deferred foreign key of the idempotency key, which is checked at
    // the commit.
    assert_eq!(baseline.plans.len(), 11, "a plan for each statement: {:#?}", baseline.plans);
    Ok(())
}
