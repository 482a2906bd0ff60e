//! A nurse reviews each report, and the audit trail shows who did what.

use std::collections::BTreeSet;

use e2e::{NURSE, OTHER_NURSE, PATIENT, amendment, problem, rows, seen, submitted, waiting, with_long_timeouts};
use futures_util::future::try_join_all;
use migrations::demo::{NURSES, SITES, STUDY};
use serde_json::{Value, json};
use sqlx::Connection;
use testkit::client::{Client, Response, Token, report};
use testkit::stack::Stack;

/// The ids in a nurse's list.
async fn listed(client: &Client, nurse: &Token, review: &str) -> anyhow::Result<BTreeSet<String>> {
    let page = seen(client, nurse, &format!("/v1/sites/{}/reports?{review}", SITES[0].id)).await?;
    let reports = page["reports"].as_array().cloned().unwrap_or_default();
    Ok(reports.iter().filter_map(|report| report["report_id"].as_str().map(str::to_owned)).collect())
}

fn ids<const N: usize>(ids: [&String; N]) -> BTreeSet<String> {
    ids.into_iter().cloned().collect()
}

#[tokio::test]
async fn a_nurse_of_the_site_reviews_a_report_once() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let colleague = client.login(NURSES[1].login, NURSES[1].pin).await?;
    let stranger = client.login(OTHER_NURSE.login, OTHER_NURSE.pin).await?;
    let report_id = submitted(&client, &patient, PATIENT).await?;
    problem(&client.review(&stranger, &report_id, "approved").await?, 404, "report-not-found")?;
    problem(&client.review(&patient, &report_id, "approved").await?, 403, "wrong-role")?;
    assert_eq!(listed(&client, &nurse, "review=pending").await?, ids([&report_id]));

    let answer = client.review(&nurse, &report_id, "has_issues").await?.expect_status(201)?;
    assert_eq!(answer.json()["trace_id"].as_str(), answer.trace_id().as_deref());
    for (token, outcome) in [(&nurse, "has_issues"), (&colleague, "approved")] {
        problem(&client.review(token, &report_id, outcome).await?, 409, "already-reviewed")?;
    }
    for token in [&patient, &nurse] {
        let review = seen(&client, token, &format!("/v1/reports/{report_id}")).await?["review"].clone();
        assert_eq!((&review["outcome"], &review["reviewer_id"]), (&json!("has_issues"), &json!(NURSE.id)));
        assert_eq!(review["review_id"], answer.json()["review_id"]);
        assert!(review["recorded_at"].is_string());
    }
    assert_eq!(rows(&stack).await?.audit_events, 2);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_is_reviewed_leaves_the_list_of_pending_ones_until_it_is_amended() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let mut reports = Vec::new();
    for _ in 0..3 {
        reports.push(submitted(&client, &patient, PATIENT).await?);
    }
    for (report_id, outcome) in reports.iter().zip(["approved", "rejected"]) {
        client.review(&nurse, report_id, outcome).await?.expect_status(201)?;
    }
    let [first, second, third] = &reports[..] else { unreachable!() };
    assert_eq!(listed(&client, &nurse, "review=pending").await?, ids([third]));
    assert_eq!(listed(&client, &nurse, "review=done").await?, ids([first, second]));
    assert_eq!(listed(&client, &nurse, "").await?, ids([first, second, third]));

    let amended = client.amend(&patient, first, "\"2\"", &amendment()).await?.expect_status(201)?.text("report_id")?;
    assert_eq!(listed(&client, &nurse, "review=pending").await?, ids([third, &amended]));
    assert_eq!(listed(&client, &nurse, "review=done").await?, ids([second]));
    let old = seen(&client, &nurse, &format!("/v1/reports/{first}")).await?;
    assert_eq!(old["review"]["outcome"], "approved", "the verdict on the old revision stays with it");
    problem(&client.review(&nurse, first, "rejected").await?, 409, "report-superseded")?;
    client.review(&nurse, &amended, "approved").await?.expect_status(201)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_urgent_alert_stays_through_amendments_until_somebody_reviews_the_revision_that_set_it_off()
-> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let answers = |of_harm: i64| {
        let mut answers: serde_json::Map<_, _> = (1..=9).map(|item| (format!("phq9-{item}"), json!(0))).collect();
        if of_harm > 0 {
            answers.extend([("phq9-9".to_owned(), json!(of_harm)), ("phq9-difficulty".to_owned(), json!(1))]);
        }
        answers
    };
    let mut body = report(PATIENT.phq9);
    body["answers"] = answers(3).into();
    let first = client.submit(&patient, "key", &body).await?.expect_status(201)?.text("report_id")?;
    let taken_back = json!({"answers": answers(0), "reason": "I did not mean it."});
    let second = client.amend(&patient, &first, "\"1\"", &taken_back).await?.expect_status(201)?.text("report_id")?;

    let line = async |review: &str| {
        let page = seen(&client, &nurse, &format!("/v1/sites/{}/reports?review={review}", SITES[0].id)).await?;
        let line = page["reports"][0].clone();
        anyhow::Ok((line["report_id"].clone(), line["urgent"].clone(), line["urgent_revisions"].clone()))
    };
    let pending = async || {
        let study = seen(&client, &nurse, &format!("/v1/studies/{STUDY}")).await?;
        anyhow::Ok(study["sites"][0]["pending_reviews"].clone())
    };
    let open = json!([{"report_id": first, "revision": 1}]);
    let waits = (json!(second), json!(true), open.clone());
    assert_eq!((line("pending").await?, pending().await?), (waits.clone(), json!(1)));
    for id in [&first, &second] {
        let path = format!("/v1/reports/{id}");
        assert_eq!(seen(&client, &nurse, &path).await?["urgent_revisions"], open, "of every revision");
        assert_eq!(seen(&client, &patient, &path).await?.get("urgent_revisions"), None, "for nurses only");
    }
    // A review of the harmless revision does not count for the urgent one.
    client.review(&nurse, &second, "approved").await?.expect_status(201)?;
    assert_eq!((line("pending").await?, pending().await?), (waits, json!(1)));
    assert_eq!(line("done").await?.0, Value::Null);

    client.review(&nurse, &first, "has_issues").await?.expect_status(201)?;
    assert_eq!(line("done").await?, (json!(second), json!(false), Value::Null));
    assert_eq!((line("pending").await?.0, pending().await?), (Value::Null, json!(0)));
    problem(&client.review(&nurse, &first, "approved").await?, 409, "already-reviewed")?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn reviews_at_the_same_time_leave_one() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurses =
        [client.login(NURSES[0].login, NURSES[0].pin).await?, client.login(NURSES[1].login, NURSES[1].pin).await?];
    let report_id = submitted(&client, &patient, PATIENT).await?;
    let answers = try_join_all((0..8).map(|number| client.review(&nurses[number % 2], &report_id, "approved"))).await?;
    let (stored, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(stored.len(), 1);
    for answer in &refused {
        problem(answer, 409, "already-reviewed")?;
    }
    let reviews: i64 = sqlx::query_scalar("SELECT count(*) FROM clinical.review")
        .fetch_one(&mut stack.database.connect().await?)
        .await?;
    assert_eq!((reviews, rows(&stack).await?.audit_events), (1, 2));
    stack.stop().await?;
    Ok(())
}

/// Two requests that overlap: both have begun before either ends, in this order.
async fn overtaken(
    stack: &Stack,
    first: impl Future<Output = anyhow::Result<Response>>,
    second: impl Future<Output = anyhow::Result<Response>>,
) -> anyhow::Result<(Response, Response)> {
    let mut database = stack.database.connect().await?;
    let mut lock = database.begin().await?;
    sqlx::query("SELECT FROM clinical.audit_chain FOR UPDATE").execute(&mut *lock).await?;
    let second = async {
        waiting(stack, 1).await?;
        second.await
    };
    let release = async {
        waiting(stack, 2).await?;
        Ok(lock.rollback().await?)
    };
    let (first, second, ()) = tokio::try_join!(first, second, release)?;
    Ok((first, second))
}

#[tokio::test]
async fn a_review_that_was_overtaken_by_an_amendment_is_refused() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let report_id = submitted(&client, &patient, PATIENT).await?;
    let change = amendment();
    let amended = client.amend(&patient, &report_id, "\"1\"", &change);
    let reviewed = client.review(&nurse, &report_id, "approved");
    let (amended, reviewed) = Box::pin(overtaken(&stack, amended, reviewed)).await?;
    amended.expect_status(201)?;
    problem(&reviewed, 409, "report-superseded")?;
    assert_eq!(rows(&stack).await?.audit_events, 2);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_amendment_that_was_overtaken_by_a_review_is_refused() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let report_id = submitted(&client, &patient, PATIENT).await?;
    let change = amendment();
    let reviewed = client.review(&nurse, &report_id, "approved");
    let amended = client.amend(&patient, &report_id, "\"1\"", &change);
    let (reviewed, amended) = Box::pin(overtaken(&stack, reviewed, amended)).await?;
    reviewed.expect_status(201)?;
    problem(&amended, 412, "revision-mismatch")?;
    assert_eq!(rows(&stack).await?.reports, 1);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_audit_trail_is_a_chain_that_names_actor_reason_and_trace() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let created = client.submit_new(&patient, PATIENT.assignment).await?.expect_status(201)?;
    let first = created.text("report_id")?;
    let amended = client.amend(&patient, &first, "\"1\"", &amendment()).await?.expect_status(201)?;
    let second = amended.text("report_id")?;
    let reviewed = client.review(&nurse, &second, "approved").await?.expect_status(201)?;
    // Another report of the same patient: its event is in the chain but not in this report's trail.
    submitted(&client, &patient, PATIENT).await?;

    let trail = seen(&client, &nurse, &format!("/v1/reports/{second}/audit")).await?;
    assert_eq!(trail, seen(&client, &nurse, &format!("/v1/reports/{first}/audit")).await?, "of all revisions");
    let events = trail["events"].as_array().cloned().unwrap_or_default();
    let expected = [
        ("report.create", json!(PATIENT.id), created.json()["report_id"].clone(), &created),
        ("report.amend", json!(PATIENT.id), amended.json()["report_id"].clone(), &amended),
        ("report.review", json!(NURSE.id), reviewed.json()["review_id"].clone(), &reviewed),
    ];
    assert_eq!(events.len(), expected.len(), "{trail}");
    for (place, (event, (action, actor, object, answer))) in events.iter().zip(&expected).enumerate() {
        assert_eq!((&event["action"], &event["actor_id"], &event["object_id"]), (&json!(action), actor, object));
        assert_eq!(event["trace_id"].as_str(), answer.trace_id().as_deref(), "{action}");
        assert_eq!(event["seq"], place + 1);
        let before = if place == 0 { json!("00".repeat(32)) } else { events[place - 1]["hash"].clone() };
        assert_eq!(event["prev_hash"], before, "{action}");
        assert_eq!(event["hash"].as_str().map(str::len), Some(64));
    }
    assert_eq!(events[0]["before_hash"], Value::Null);
    assert_eq!(events[1]["before_hash"], events[0]["after_hash"]);
    assert_eq!(events[1]["reason"], amendment()["reason"]);
    assert_eq!(events[2]["reason"], Value::Null);

    // The hashes match those that the database computes from the rows.
    let wrong: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM clinical.audit_event
         WHERE hash <> clinical.audit_event_hash_2(
                           prev_hash, enrolment_id, seq, actor_id, actor_role, action, object_id, before_hash,
                           after_hash, context_hash, changes, reason, trace_id, recorded_at)
            OR context_hash <> clinical.current_context(enrolment_id)
            OR after_hash <> CASE action WHEN 'report.review' THEN clinical.review_digest(object_id)
                                         ELSE clinical.report_digest_2(object_id) END",
    )
    .fetch_one(&mut stack.database.connect().await?)
    .await?;
    assert_eq!(wrong, 0);
    let stranger = client.login(OTHER_NURSE.login, OTHER_NURSE.pin).await?;
    problem(&client.get(&format!("/v1/reports/{second}/audit"), Some(&stranger)).await?, 404, "report-not-found")?;
    problem(&client.get(&format!("/v1/reports/{second}/audit"), Some(&patient)).await?, 403, "wrong-role")?;
    stack.stop().await?;
    Ok(())
}
