//! An amendment adds a revision. The earlier revision stays.

use e2e::{NEIGHBOUR, NURSE, NURSES_PER_SITE, PATIENT, amendment, codes, problem, rows, seen, setup, submitted};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use testkit::client::{Client, Token, report};
use testkit::stack::Stack;

/// A report as the API shows it, and its tag.
async fn look(client: &Client, token: &Token, report_id: &str) -> anyhow::Result<(Value, String)> {
    let answer = client.get(&format!("/v1/reports/{report_id}"), Some(token)).await?.expect_status(200)?;
    let tag = answer.header("etag").unwrap_or_default().to_owned();
    Ok((answer.json(), tag))
}

#[tokio::test]
async fn an_amendment_is_a_new_revision_and_changes_nothing_of_the_old_one() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let old_id = submitted(&client, &token, PATIENT).await?;
    let (old, tag) = look(&client, &token, &old_id).await?;
    assert_eq!((tag.as_str(), &old["revision"], &old["current_revision"]), ("\"1\"", &json!(1), &json!(1)));
    assert_eq!(old["superseded_by"], Value::Null);

    let answer = client.amend(&token, &old_id, &tag, &amendment()).await?.expect_status(201)?;
    let new_id = answer.text("report_id")?;
    assert_eq!(answer.header("location"), Some(format!("/v1/reports/{new_id}").as_str()));
    assert_eq!(answer.json()["trace_id"].as_str(), answer.trace_id().as_deref());
    assert_eq!((&answer.json()["revision"], &answer.json()["disposition"]), (&json!(2), &json!("accepted")));

    let (new, tag) = look(&client, &token, &new_id).await?;
    assert_eq!((tag.as_str(), &new["revision"], &new["current_revision"]), ("\"2\"", &json!(2), &json!(2)));
    assert_eq!((&new["supersedes"], &new["reason"]), (&json!(old_id), &amendment()["reason"]));
    assert_eq!(new["answers"], amendment()["answers"]);
    assert_eq!((&new["captured_at"], &new["assignment_id"]), (&old["captured_at"], &old["assignment_id"]));
    assert_ne!(new["received_at"], old["received_at"]);

    // The old revision now names its successor and is otherwise unchanged.
    let (mut replaced, tag) = look(&client, &token, &old_id).await?;
    assert_eq!((tag.as_str(), &replaced["superseded_by"]), ("\"2\"", &json!(new_id)));
    assert_eq!(replaced["current_revision"], 2);
    for changed in ["superseded_by", "current_revision"] {
        replaced[changed] = old[changed].clone();
    }
    let members = |report: &Value| {
        let members = report.as_object().cloned().unwrap_or_default();
        members.into_iter().filter(|(_, value)| !value.is_null()).collect::<Vec<_>>()
    };
    assert_eq!(members(&replaced), members(&old));
    // A list only has the current revision.
    let listed = seen(&client, &token, "/v1/reports").await?;
    assert_eq!(listed["reports"].as_array().map(Vec::len), Some(1));
    assert_eq!((&listed["reports"][0]["report_id"], &listed["reports"][0]["revision"]), (&json!(new_id), &json!(2)));
    // The nurses are notified once for each revision, nurse and channel.
    let rows = rows(&stack).await?;
    assert_eq!((rows.reports, rows.keys, rows.audit_events), (2, 2, 2));
    assert_eq!(rows.notifications, 2 * 2 * i64::try_from(NURSES_PER_SITE)?);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_amendment_says_which_revision_it_is_about() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let first = submitted(&client, &token, PATIENT).await?;
    let untagged = client.post_as(&token, &format!("/v1/reports/{first}/amendments"), &amendment()).await?;
    problem(&untagged, 428, "precondition-required")?;
    problem(&client.amend(&token, &first, "1", &amendment()).await?, 400, "if-match")?;
    problem(&client.amend(&token, &first, "\"2\"", &amendment()).await?, 412, "revision-mismatch")?;
    assert_eq!(rows(&stack).await?.reports, 1);

    let second = client.amend(&token, &first, "\"1\"", &amendment()).await?.expect_status(201)?.text("report_id")?;
    // One phone does not know the second revision. The other knows its tag but amends the first.
    problem(&client.amend(&token, &first, "\"1\"", &amendment()).await?, 412, "revision-mismatch")?;
    problem(&client.amend(&token, &first, "\"2\"", &amendment()).await?, 409, "report-superseded")?;
    problem(&client.amend(&token, &second, "\"1\"", &amendment()).await?, 412, "revision-mismatch")?;
    assert_eq!(rows(&stack).await?.reports, 2);
    // First with a list of tags, then with any tag.
    let third =
        client.amend(&token, &second, "\"1\", \"2\"", &amendment()).await?.expect_status(201)?.text("report_id")?;
    let fourth = client.amend(&token, &third, "*", &amendment()).await?.expect_status(201)?;
    assert_eq!(fourth.json()["revision"], 4);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn nobody_amends_what_they_have_not_seen_judged() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let first = submitted(&client, &token, PATIENT).await?;
    let mut tags = vec![look(&client, &token, &first).await?.1, look(&client, &nurse, &first).await?.1];
    client.review(&nurse, &first, "has_issues").await?.expect_status(201)?;
    problem(&client.amend(&token, &first, &tags[0], &amendment()).await?, 412, "revision-mismatch")?;
    assert_eq!(rows(&stack).await?.reports, 1);

    let (seen, tag) = look(&client, &token, &first).await?;
    assert_eq!(seen["review"]["outcome"], "has_issues");
    let second = client.amend(&token, &first, &tag, &amendment()).await?.expect_status(201)?.text("report_id")?;
    tags.push(tag);
    // The tag of each revision after each change, for everyone whose view of it has changed.
    for (token, report_id) in [(&token, &first), (&nurse, &first)] {
        tags.push(look(&client, token, report_id).await?.1);
    }
    client.review(&nurse, &second, "approved").await?.expect_status(201)?;
    for token in [&token, &nurse] {
        tags.push(look(&client, token, &second).await?.1);
    }
    let different: std::collections::BTreeSet<_> = tags.iter().collect();
    assert_eq!(different.len(), tags.len(), "{tags:?}");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn amendments_at_the_same_time_make_one_revision() -> anyhow::Result<()> {
    let stack = e2e::with_long_timeouts().start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let report_id = submitted(&client, &token, PATIENT).await?;
    let (tag, body) = ("\"1\"", amendment());
    let answers = try_join_all((0..8).map(|_| client.amend(&token, &report_id, tag, &body))).await?;
    let (stored, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(stored.len(), 1);
    for answer in &refused {
        // It depends on whether the request met the other amendment when it read or when it wrote.
        let name = if answer.status == 412 { "revision-mismatch" } else { "report-superseded" };
        problem(answer, if answer.status == 412 { 412 } else { 409 }, name)?;
    }
    let rows = rows(&stack).await?;
    assert_eq!((rows.reports, rows.audit_events), (2, 2));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_amendment_is_the_patients_own_and_keeps_to_the_rules() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let report_id = submitted(&client, &token, PATIENT).await?;
    let neighbour = client.login(NEIGHBOUR.login, NEIGHBOUR.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    problem(&client.amend(&neighbour, &report_id, "\"1\"", &amendment()).await?, 404, "report-not-found")?;
    problem(&client.amend(&nurse, &report_id, "\"1\"", &amendment()).await?, 403, "wrong-role")?;
    for (body, expected) in [
        (json!({"answers": {"pain": 11, "rescue": true}, "reason": ""}), vec!["range", "required", "required"]),
        (json!({"answers": {"pain": 1}, "reason": "\0"}), vec!["null-character"]),
    ] {
        let refused = problem(&client.amend(&token, &report_id, "\"1\"", &body).await?, 422, "report-invalid")?;
        let mut listed = codes(&refused);
        listed.sort_unstable();
        assert_eq!(listed, expected, "{refused}");
    }
    assert_eq!(rows(&stack).await?.reports, 1);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_amendment_is_scored_and_sets_off_alerts_anew() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let phq9 =
        |value: i64| (1..=9).map(|item| (format!("phq9-{item}"), json!(value))).collect::<serde_json::Map<_, _>>();
    let mut body = report(PATIENT.phq9);
    body["answers"] = phq9(0).into();
    let first = client.submit(&token, "key", &body).await?.expect_status(201)?.text("report_id")?;
    let mut answers = phq9(2);
    answers.insert("phq9-difficulty".to_owned(), json!(1));
    let change = json!({"answers": answers, "reason": "I answered for another week."});
    let second = client.amend(&token, &first, "\"1\"", &change).await?.expect_status(201)?.text("report_id")?;

    let (old, _) = look(&client, &nurse, &first).await?;
    assert_eq!((&old["score"], &old["alerts"]), (&json!({"total": 0, "band": "minimal"}), &json!([])));
    let (new, _) = look(&client, &nurse, &second).await?;
    assert_eq!(new["score"], json!({"total": 18, "band": "moderately-severe"}));
    assert_eq!(new["alerts"], json!([{"rule": "needs-assessment", "urgent": true}]));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_amendment_of_a_held_report_is_held_for_the_same_reason_and_keeps_its_window() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let window = setup::Window::minutes(-180, -120, -60);
    let assignment_id = setup::schedule(&stack, PATIENT.assignment, &[window]).await?;
    let mut body = report(assignment_id);
    body["captured_at"] = json!(setup::text(window.opens_at));
    let first = client.submit(&token, "key", &body).await?.expect_status(202)?.text("report_id")?;
    let amended = client.amend(&token, &first, "\"1\"", &amendment()).await?.expect_status(201)?;
    assert_eq!(amended.text("disposition")?, "held");
    let (kept, _) = look(&client, &token, &amended.text("report_id")?).await?;
    assert_eq!(kept["held_because"], json!(["late"]));
    let windows: Vec<Option<uuid::Uuid>> = sqlx::query_scalar("SELECT DISTINCT window_id FROM clinical.report")
        .fetch_all(&mut stack.database.connect().await?)
        .await?;
    assert!(matches!(windows[..], [Some(_)]), "{windows:?}");
    stack.stop().await?;
    Ok(())
}
