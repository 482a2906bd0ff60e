//! Amendments and reviews whose answer was lost are sent again and take effect once. For submissions see `submissions`.

use std::collections::BTreeSet;

use e2e::{NURSE, PATIENT, amendment, problem, rows, seen, submitted, with_long_timeouts};
use futures_util::future::try_join_all;
use migrations::demo::NURSES;
use serde_json::{Value, json};
use testkit::client::report;
use testkit::stack::Stack;

#[tokio::test]
async fn a_retried_amendment_gets_the_first_answer_and_stores_nothing() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let (first, other) = (submitted(&client, &token, PATIENT).await?, submitted(&client, &token, PATIENT).await?);
    let amend = async |report_id: &str, body: Value| client.amend_under(&token, "key", report_id, "\"1\"", &body).await;
    let stored = amend(&first, amendment()).await?.expect_status(201)?;
    let written = rows(&stack).await?;
    let second = stored.text("report_id")?;
    // Also when something has changed in between.
    for change in [false, true] {
        if change {
            let body = amendment();
            client.amend(&token, &second, "*", &body).await?.expect_status(201)?;
        }
        let again = amend(&first, amendment()).await?.expect_status(201)?;
        for member in ["report_id", "revision", "disposition"] {
            assert_eq!(again.json()[member], stored.json()[member]);
        }
        assert_eq!(again.header("location"), stored.header("location"));
    }
    assert_eq!(rows(&stack).await?.reports, written.reports + 1, "the other amendment alone");

    let mut changed = amendment();
    changed["reason"] = json!("I mixed up two weeks.");
    problem(&amend(&first, changed).await?, 422, "idempotency-key-reused")?;
    problem(&amend(&other, amendment()).await?, 422, "idempotency-key-reused")?;
    problem(&client.submit(&token, "key", &report(PATIENT.assignment)).await?, 422, "idempotency-key-reused")?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_retried_review_gets_the_first_answer_and_stores_nothing() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let colleague = client.login(NURSES[1].login, NURSES[1].pin).await?;
    let report_id = submitted(&client, &patient, PATIENT).await?;
    let first = client.review_under(&nurse, "key", &report_id, "approved").await?.expect_status(201)?;
    let events = rows(&stack).await?.audit_events;
    client.amend(&patient, &report_id, "*", &amendment()).await?.expect_status(201)?;
    let again = client.review_under(&nurse, "key", &report_id, "approved").await?.expect_status(201)?;
    assert_eq!(again.json()["review_id"], first.json()["review_id"]);
    assert_eq!(rows(&stack).await?.audit_events, events + 1, "the amendment alone");

    for (token, outcome) in [(&nurse, "rejected"), (&colleague, "approved")] {
        let refused = client.review_under(token, "key", &report_id, outcome).await?;
        problem(&refused, 422, "idempotency-key-reused")?;
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn changes_under_one_key_at_the_same_time_are_stored_once() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let (reviewed, amended) =
        (submitted(&client, &patient, PATIENT).await?, submitted(&client, &patient, PATIENT).await?);
    let body = amendment();
    let amendments = (0..16).map(|_| client.amend_under(&patient, "amend", &amended, "\"1\"", &body));
    let reviews = (0..16).map(|_| client.review_under(&nurse, "review", &reviewed, "approved"));
    let (amendments, reviews) = tokio::try_join!(try_join_all(amendments), try_join_all(reviews))?;
    for (answers, member) in [(amendments, "report_id"), (reviews, "review_id")] {
        let mut ids = BTreeSet::new();
        for answer in answers {
            match answer.status {
                409 => drop(problem(&answer, 409, "idempotency-key-in-progress")?),
                _ => drop(ids.insert(answer.expect_status(201)?.text(member)?)),
            }
        }
        assert_eq!(ids.len(), 1, "{member}");
    }
    let written = rows(&stack).await?;
    assert_eq!((written.reports, written.keys, written.audit_events), (3, 4, 4));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_refused_change_does_not_use_up_its_key() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let report_id = submitted(&client, &token, PATIENT).await?;
    let refused = json!({"answers": {"pain": 11}, "reason": "Worse."});
    let amend = async |tag: &str, body: Value| client.amend_under(&token, "key", &report_id, tag, &body).await;
    problem(&amend("\"1\"", refused).await?, 422, "report-invalid")?;
    problem(&amend("\"7\"", amendment()).await?, 412, "revision-mismatch")?;
    amend("\"1\"", amendment()).await?.expect_status(201)?;
    let own = seen(&client, &token, "/v1/reports").await?;
    assert_eq!(own["reports"][0]["revision"], 2);
    stack.stop().await?;
    Ok(())
}
