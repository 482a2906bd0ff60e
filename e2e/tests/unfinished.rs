//! While work is still running, its trace has everything that has ended. Only what is running is missing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use e2e::{DEADLINE, NURSES_PER_SITE, PATIENT, with_long_timeouts};
use testkit::contract;
use testkit::sms::Behaviour;
use testkit::stack::{Service, Stack};
use testkit::trace::{Kind, Trace};

/// The spans of a submission that are missing while the SMS to the nurses are being sent: the delivery and two for each
/// message are running, and the four that record each message have not begun.
const UNFINISHED: usize = 1 + NURSES_PER_SITE * (2 + 4);

/// Whether everything has arrived that ended before the SMS.
fn is_all_but_the_sms(trace: &Trace) -> bool {
    trace.spans.len() == contract::submit_report(NURSES_PER_SITE).size() - UNFINISHED
}

/// The parents that have not arrived.
fn missing_parents(trace: &Trace) -> BTreeSet<String> {
    trace.orphans().into_iter().filter_map(|span| span.parent_span_id.clone()).collect()
}

#[tokio::test]
async fn while_the_provider_is_slow_only_what_still_runs_is_missing_from_the_trace() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    stack.sms.respond_next([Behaviour::AcceptAfter(Duration::from_millis(4500)); NURSES_PER_SITE]);
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let trace_id = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?.trace_id();
    let trace_id = trace_id.unwrap_or_default();

    let early = stack.otlp.wait_for(&trace_id, Duration::from_secs(3), is_all_but_the_sms).await?;
    early.one("notify-svc", "epro.notify.v1.NotifyService/Notify", Kind::Server)?;
    assert_eq!(early.named("send sms").len(), 0, "{early}");
    let running = missing_parents(&early);

    let expected = contract::submit_report(NURSES_PER_SITE);
    let whole = stack.otlp.wait_for_shape(&trace_id, DEADLINE, &expected).await?;
    assert_eq!(contract::check_submission(&whole, NURSES_PER_SITE), Vec::<String>::new());
    let deliver = whole.one("notify-svc", "deliver notification", Kind::Consumer)?;
    assert_eq!(running, BTreeSet::from([deliver.span_id.clone()]), "all others have their parents");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_asked_to_end_a_second_time_ends_at_once() -> anyhow::Result<()> {
    let mut stack = with_long_timeouts().start().await?;
    stack.sms.respond_next([Behaviour::AcceptAfter(Duration::from_secs(20)); NURSES_PER_SITE]);
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let trace_id = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?.trace_id();
    stack.otlp.wait_for(&trace_id.unwrap_or_default(), DEADLINE, is_all_but_the_sms).await?;

    let asked = Instant::now();
    assert!(stack.terminate_at_once(Service::NotifySvc).await?.success());
    // If it waited, it would wait for ten seconds.
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_kill_during_the_send_takes_only_the_spans_along_that_were_running() -> anyhow::Result<()> {
    let mut stack = Stack::builder()
        .env(Service::NotifySvc, "EPRO_SWEEP__OVERDUE", "5s")
        .env(Service::NotifySvc, "EPRO_SWEEP__INTERVAL", "100ms")
        .env(Service::NotifySvc, "EPRO_DELIVERY__LEASE", "17s")
        .env(Service::NotifySvc, "EPRO_USER_SVC__TIMEOUT", "1s")
        .env(Service::NotifySvc, "EPRO_DATA_SVC__TIMEOUT", "1s")
        .env(Service::NotifySvc, "EPRO_SMS__TIMEOUT", "1s")
        .env(Service::NotifySvc, "EPRO_SMS__ANSWER_TIMEOUT", "3s")
        .env(Service::NotifySvc, "EPRO_SMTP__TIMEOUT", "1s")
        .env(Service::NotifySvc, "EPRO_SMTP__ANSWER_TIMEOUT", "2s")
        .start()
        .await?;
    stack.sms.respond_next([Behaviour::Hang; NURSES_PER_SITE]);
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let trace_id = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?.trace_id();
    let trace_id = trace_id.unwrap_or_default();
    let early = stack.otlp.wait_for(&trace_id, DEADLINE, is_all_but_the_sms).await?;
    stack.kill(Service::NotifySvc).await?;
    stack.restart(Service::NotifySvc).await?;

    // The lease expires, and the message is sent in the same trace.
    let sent = |trace: &Trace| trace.named("deliver notification").len() == 1 && trace.named("send sms").len() == 2;
    let later = stack.otlp.wait_for(&trace_id, Duration::from_secs(40), sent).await?;
    assert_eq!(missing_parents(&later), missing_parents(&early), "{later}");
    assert_eq!(missing_parents(&later).len(), 1, "{later}");
    assert_eq!(later.roots().len(), 1, "{later}");
    stack.stop().await?;
    Ok(())
}
