//! A report is stored once, told once, and never lost.

use e2e::{DEADLINE, NURSES_PER_SITE, PATIENT, Rows, rows, unhurried};
use futures_util::future::try_join_all;
use migrations::demo::{NURSES, PATIENTS};
use testkit::client::report;
use testkit::contract;
use testkit::stack::Stack;
use testkit::trace::Kind;

/// What one delivered submission leaves behind.
const ONE: Rows = Rows { reports: 1, keys: 1, audit_events: 1, notifications: 4, delivered: 4, attempts: 4 };

#[tokio::test]
async fn every_nurse_of_the_site_gets_one_sms_and_one_mail() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let submitted = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?;
    let report_id = submitted.json()["report_id"].as_str().unwrap_or_default().to_owned();

    let expected = contract::submit_report(NURSES_PER_SITE);
    stack.otlp.wait_for_shape(&submitted.trace_id().unwrap_or_default(), DEADLINE, &expected).await?;
    let (messages, mails) = (stack.sms.accepted(), stack.smtp.accepted());
    let team = || NURSES.iter().filter(|nurse| nurse.site == PATIENT.site);
    for nurse in team() {
        assert_eq!(messages.iter().filter(|message| message.to == nurse.phone).count(), 1);
        assert_eq!(mails.iter().filter(|mail| mail.to == [nurse.email]).count(), 1);
    }
    assert_eq!((messages.len(), mails.len()), (team().count(), team().count()));
    for message in &messages {
        assert!(message.body.starts_with("ePRO: a new report at your site needs review. http"), "{}", message.body);
        assert!(message.body.ends_with(&report_id), "{}", message.body);
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_exact_retry_gets_the_first_answer_and_stores_nothing() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let body = report(PATIENT.assignment);
    let first = client.submit(&token, "key", &body).await?.expect_status(201)?;
    let trace_id = first.trace_id().unwrap_or_default();
    let delivered = |trace: &testkit::trace::Trace| {
        let recorded = trace.named("epro.data.v1.DataService/RecordDelivery");
        recorded.iter().filter(|span| span.kind == Kind::Server).count() == 2 * NURSES_PER_SITE
    };
    stack.otlp.wait_for(&trace_id, DEADLINE, delivered).await?;
    assert_eq!(rows(&stack).await?, ONE);

    let again = client.submit(&token, "key", &body).await?.expect_status(201)?;
    assert_eq!(again.json()["report_id"], first.json()["report_id"]);
    assert_ne!(again.json()["trace_id"], first.json()["trace_id"], "a retry is a request of its own");
    assert_eq!(rows(&stack).await?, ONE);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn sixty_four_submissions_under_one_key_at_the_same_time_store_one_report() -> anyhow::Result<()> {
    let stack = unhurried().start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let body = report(PATIENT.assignment);
    let answers = try_join_all((0..64).map(|_| client.submit(&token, "key", &body))).await?;
    let first = answers[0].json()["report_id"].clone();
    for answer in answers {
        assert_eq!(answer.expect_status(201)?.json()["report_id"], first);
    }
    let rows = rows(&stack).await?;
    assert_eq!((rows.reports, rows.keys, rows.audit_events, rows.notifications), (1, 1, 1, 4));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_key_belongs_to_one_body_and_one_patient() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    client.submit(&token, "key", &report(PATIENT.assignment)).await?.expect_status(201)?;
    let mut other = report(PATIENT.assignment);
    other["answers"]["pain"] = 1.into();
    let refused = client.submit(&token, "key", &other).await?.expect_status(422)?;
    assert_eq!(refused.json()["type"], "/problems/idempotency-key-reused");

    let neighbour = &PATIENTS[1];
    let token = client.login(neighbour.login, neighbour.pin).await?;
    client.submit(&token, "key", &report(neighbour.assignment)).await?.expect_status(201)?;
    assert_eq!(rows(&stack).await?.reports, 2);
    stack.stop().await?;
    Ok(())
}
