//! An outage behind the outbox has no effect on patients, and everything is delivered afterwards.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use e2e::{DEADLINE, NURSES_PER_SITE};
use futures_util::future::try_join_all;
use migrations::demo::PATIENTS;
use testkit::poll;
use testkit::sms;
use testkit::stack::{Service, Stack};

/// The part that is down.
#[derive(Clone, Copy)]
enum Down {
    NotifySvc,
    SmsProvider,
    MailServer,
}

/// How long the outage lasts. A minute is too long for every day, so that is only on request.
fn outage() -> Duration {
    let seconds = std::env::var("EPRO_TEST_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(6))
}

#[tokio::test]
async fn an_outage_of_notify_svc_costs_no_submission_and_loses_no_message() -> anyhow::Result<()> {
    survive(Down::NotifySvc).await
}

#[tokio::test]
async fn an_outage_of_the_sms_provider_costs_no_submission_and_loses_no_message() -> anyhow::Result<()> {
    survive(Down::SmsProvider).await
}

#[tokio::test]
async fn an_outage_of_the_mail_server_costs_no_submission_and_loses_no_message() -> anyhow::Result<()> {
    survive(Down::MailServer).await
}

async fn survive(down: Down) -> anyhow::Result<()> {
    let mut stack = Stack::builder()
        .env(Service::NotifySvc, "EPRO_SWEEP__INTERVAL", "200ms")
        .env(Service::NotifySvc, "EPRO_SWEEP__OVERDUE", "1s")
        .env(Service::NotifySvc, "EPRO_DELIVERY__LEASE", "25s")
        .env(Service::NotifySvc, "EPRO_USER_SVC__TIMEOUT", "2s")
        .env(Service::NotifySvc, "EPRO_DATA_SVC__TIMEOUT", "2s")
        .env(Service::NotifySvc, "EPRO_SMS__TIMEOUT", "2s")
        .env(Service::NotifySvc, "EPRO_SMS__ANSWER_TIMEOUT", "2s")
        .env(Service::NotifySvc, "EPRO_SMTP__TIMEOUT", "2s")
        .env(Service::NotifySvc, "EPRO_SMTP__ANSWER_TIMEOUT", "2s")
        .env(Service::NotifySvc, "EPRO_DELIVERY__UNCERTAIN__BASE", "1s")
        .env(Service::NotifySvc, "EPRO_DELIVERY__BACKOFF__BASE", "100ms")
        .env(Service::NotifySvc, "EPRO_DELIVERY__BACKOFF__CAP", "2s")
        .start()
        .await?;
    let (reports, usual) = load(&stack, outage() / 2).await?;
    match down {
        Down::NotifySvc => stack.kill(Service::NotifySvc).await?,
        Down::SmsProvider => stack.sms.respond_with(sms::Behaviour::Refuse(503)),
        Down::MailServer => stack.smtp.stop().await,
    }
    let (more, during) = load(&stack, outage()).await?;
    match down {
        Down::NotifySvc => stack.restart(Service::NotifySvc).await?,
        Down::SmsProvider => stack.sms.respond_with(sms::Behaviour::Accept),
        Down::MailServer => stack.smtp.start_again().await?,
    }
    println!("median {usual:?} before and {during:?} during the outage, {} reports", reports + more);
    // Much less than the timeout of a dead provider, with tolerance for a busy machine.
    assert!(during < 2 * usual + Duration::from_millis(250), "{usual:?} before, {during:?} during the outage");

    let mut database = stack.database.connect().await?;
    let delivered = async || {
        let count = "SELECT count(*) FROM clinical.notification WHERE state = 'delivered'";
        Ok(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut database).await?)
    };
    let expected = i64::try_from((reports + more) * 2 * NURSES_PER_SITE)?;
    assert_eq!(poll::until(2 * DEADLINE, delivered, |count| *count == expected).await?, expected);
    let elsewhere: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM clinical.delivery_attempt
         JOIN clinical.notification USING (notification_id)
         JOIN clinical.audit_event ON object_id = report_id
         WHERE delivery_attempt.trace_id <> audit_event.trace_id",
    )
    .fetch_one(&mut database)
    .await?;
    assert_eq!(elsewhere, 0, "every attempt belongs to the trace of its submission");
    let expected = (reports + more) * NURSES_PER_SITE;
    assert_eq!(different_messages(&stack), (expected, expected));
    // Only a crash between a send and its record makes a provider receive a message twice.
    if !matches!(down, Down::NotifySvc) {
        assert_eq!((stack.sms.accepted().len(), stack.smtp.accepted().len()), (expected, expected));
    }
    stack.stop().await?;
    Ok(())
}

/// Patients submit one report after the other. Returns how many, and the median time until 201.
async fn load(stack: &Stack, duration: Duration) -> anyhow::Result<(usize, Duration)> {
    let end = Instant::now() + duration;
    let client = stack.client();
    let phones = PATIENTS.iter().take(2).map(async |patient| {
        let token = client.login(patient.login, patient.pin).await?;
        let mut waits = Vec::new();
        while Instant::now() < end {
            let start = Instant::now();
            client.submit_new(&token, patient.assignment).await?.expect_status(201)?;
            waits.push(start.elapsed());
            // A patient's pace and not a benchmark's, because the deliveries need CPU time too.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(waits)
    });
    let mut waits = try_join_all(phones).await?.concat();
    waits.sort();
    Ok((waits.len(), waits[waits.len() / 2]))
}

/// The number of SMS and of mails that the providers accepted, without duplicates.
fn different_messages(stack: &Stack) -> (usize, usize) {
    let texts: BTreeSet<_> = stack.sms.accepted().into_iter().filter_map(|text| text.idempotency_key).collect();
    let mails: BTreeSet<_> = stack.smtp.accepted().into_iter().filter_map(|mail| mail.message_id()).collect();
    (texts.len(), mails.len())
}
