//! Three copies of each service share the work, are replaced one after the other without an error for patients, and do
//! not disturb each other.

mod chores;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::ensure;
use e2e::{DEADLINE, NURSES_PER_SITE, Rows, rows, with_long_timeouts};
use futures_util::future::try_join_all;
use testkit::copies::{Answered, Caller, Load, Spread};
use testkit::poll;
use testkit::stack::{Builder, Service, Stack};
use testkit::trace::Trace;
use testkit::trace::verify::{Margins, verify};

const COPIES: usize = 3;

/// How long deliveries may make no progress. A copy that must stop before it has finished leaves its claims to the other
/// copies. They may take them when the lease is over, which is five minutes in these tests.
const PATIENCE: Duration = Duration::from_mins(6);

/// Messages for each report: an SMS and a mail to each nurse of its site.
const MESSAGES: usize = 2 * NURSES_PER_SITE;

#[tokio::test]
async fn three_copies_of_each_service_have_a_third_of_the_requests_each() -> anyhow::Result<()> {
    const ROUNDS: usize = 20;
    let stack = three_of_each().start().await?;
    let answers = submit(&stack, 6, ROUNDS).await?;
    all_told(&stack, answers.len()).await?;
    let traces = whole_traces(&stack, &answers, is_told).await?;

    let spread = Spread::of(&traces);
    println!("{spread:#?}");
    for service in Service::ALL {
        let copies = spread.0.get(service.name()).map(BTreeMap::len);
        assert!(copies == Some(COPIES) && spread.unfairness(service.name()) <= 0.2, "{service}: {spread:?}");
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn all_copies_of_all_services_are_replaced_under_load_and_no_submission_fails_or_is_lost() -> anyhow::Result<()> {
    // When a copy of notify-svc stops, the sweepers of the others take over the deliveries that it had not begun.
    let mut stack = three_of_each()
        .env(Service::Gateway, "EPRO_CONNECTIONS__FAREWELL", "1s")
        .env(Service::NotifySvc, "EPRO_SWEEP__OVERDUE", "2s")
        .start()
        .await?;
    // A load that two cores can handle together with fifteen processes, so that copies stop within their deadline.
    let load = Load::start(Caller::several(&stack.clients(), 6).await?, Duration::from_millis(500));
    let started = Instant::now();
    for service in Service::ALL {
        for copy in 0..COPIES {
            stack.roll(service, copy).await?;
        }
    }
    let rolled = started.elapsed();
    let answers = load.stop().await?;
    let again = answers.iter().filter(|answer| answer.sent > 1).count();
    let slowest = answers.iter().map(|answer| answer.took).max().unwrap_or_default();
    println!(
        "{} reports within {rolled:.1?}, {again} of them sent again, the slowest took {slowest:.1?}",
        answers.len()
    );
    none_failed(&stack, &answers)?;
    ensure!(answers.len() > 15 * COPIES, "too few to tell: {}", answers.len());

    all_told(&stack, answers.len()).await?;
    whole_traces(&stack, &answers, is_told).await?;
    for command in [&["audit", "verify"][..], &["reconcile"]] {
        let said = stack.command(Service::DataSvc, command).await?;
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    }
    stack.stop().await?;
    Ok(())
}

/// Three copies of each service with few connections to Postgres each, because other tests use the same server.
fn three_of_each() -> Builder {
    let builder = with_long_timeouts().copies(COPIES).without_rate_limits();
    [Service::DataSvc, Service::UserSvc]
        .into_iter()
        .fold(builder, |builder, service| builder.env(service, "EPRO_DATABASE__MAX_CONNECTIONS", "5"))
}

/// Lets `callers` callers submit `reports` reports each. All are stored.
async fn submit(stack: &Stack, callers: usize, reports: usize) -> anyhow::Result<Vec<Answered>> {
    let callers = Caller::several(&stack.clients(), callers).await?;
    let answers =
        try_join_all(callers.iter().map(|caller| caller.submit_so_often(reports, Duration::ZERO))).await?.concat();
    none_failed(stack, &answers)?;
    Ok(answers)
}

fn none_failed(stack: &Stack, answers: &[Answered]) -> anyhow::Result<()> {
    let failed = answers.iter().filter(|answer| answer.status != 201);
    let shown: Vec<_> = failed.map(|answer| format!("{answer:?}\n{}", stack.otlp.trace(&answer.trace_id))).collect();
    ensure!(shown.is_empty(), "{} failed:\n{}", shown.len(), shown.join("\n"));
    Ok(())
}

/// Waits until each nurse has been notified of each report exactly once, as long as there is progress.
async fn all_told(stack: &Stack, reports: usize) -> anyhow::Result<()> {
    let messages = i64::try_from(reports * MESSAGES)?;
    let mut found = rows(stack).await?;
    let mut before = None;
    while found.delivered != messages && before != Some(found.delivered) {
        before = Some(found.delivered);
        let told = |rows: &Rows| rows.delivered == messages || before < Some(rows.delivered);
        found = poll::until(PATIENCE, async || rows(stack).await, told).await?;
    }
    assert_eq!((found.reports, found.keys), (i64::try_from(reports)?, i64::try_from(reports)?), "{found:?}");
    assert_eq!((found.notifications, found.delivered, found.attempts), (messages, messages, messages), "{found:?}");
    let expected = reports * NURSES_PER_SITE;
    assert_eq!((stack.sms.accepted().len(), stack.smtp.accepted().len()), (expected, expected));
    Ok(())
}

/// Whether every attempt was recorded, as seen by its caller and by data-svc. The trace may differ from the contract: a
/// copy of user-svc also reads the signing key when it sees it for the first time.
fn is_told(trace: &Trace) -> bool {
    trace.named("epro.data.v1.DataService/RecordDelivery").len() == 2 * MESSAGES
}

/// Waits for the complete trace of each report that was sent once; a report that was sent again may have been stored by
/// an earlier attempt. Returns all traces, after checking that none is broken.
async fn whole_traces(
    stack: &Stack,
    answers: &[Answered],
    complete: impl Fn(&Trace) -> bool + Copy,
) -> anyhow::Result<Vec<Trace>> {
    for answer in answers.iter().filter(|answer| answer.sent == 1) {
        stack.otlp.wait_for(&answer.trace_id, DEADLINE, complete).await?;
    }
    let verified = async || {
        let traces = stack.otlp.traces();
        let report = verify(&traces, Margins::default(), None);
        Ok((traces, report))
    };
    let (traces, report) = poll::until(DEADLINE, verified, |(_, report)| report.is_good()).await?;
    ensure!(report.is_good(), "{report}");
    let ids: BTreeSet<_> = traces.iter().map(Trace::id).collect();
    let unseen: Vec<_> = answers.iter().filter(|answer| !ids.contains(&*answer.trace_id)).collect();
    ensure!(unseen.is_empty(), "there are no traces of {unseen:?}");
    Ok(traces)
}
