//! One patient cannot cause unlimited messages to the nurses, and that limit does not delay urgent ones.

use chrono::{TimeDelta, Utc};
use e2e::{NURSES_PER_SITE, PATIENT, amendment, problem, setup, submitted};
use serde_json::json;
use testkit::client::{Client, Response, Token, report};
use testkit::stack::Stack;

use super::reconcile::{CLEAN, reconcile};
use super::{count, eager, wait_for_count};

/// Sets how many reports are notified one by one, and how many reports the study accepts in an hour.
async fn limit(stack: &Stack, told_singly: i32, reports_per_hour: i32) -> anyhow::Result<()> {
    sqlx::query("UPDATE clinical.study SET told_singly = $1, reports_per_hour = $2")
        .bind(told_singly)
        .bind(reports_per_hour)
        .execute(&mut stack.database.connect().await?)
        .await?;
    Ok(())
}

async fn submit_urgent(client: &Client, token: &Token, key: &str) -> anyhow::Result<Response> {
    let mut body = report(PATIENT.assignment);
    body["answers"]["pain"] = json!(9);
    client.submit(token, key, &body).await
}

#[tokio::test]
async fn what_comes_beyond_the_first_reports_is_told_in_one_message() -> anyhow::Result<()> {
    const GATHERED: usize = 5;
    let stack = eager().start().await?;
    limit(&stack, 1, 1000).await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    for _ in 0..=GATHERED {
        submitted(&client, &token, PATIENT).await?;
    }
    wait_for_count(&stack, "%", "delivered", 2 * NURSES_PER_SITE).await?;
    let mut database = stack.database.connect().await?;
    let waits: Vec<bool> = sqlx::query_scalar(
        "SELECT gathered AND due_at = (SELECT min(due_at) FROM clinical.notification WHERE gathered)
                AND due_at BETWEEN now() + interval '59 min' AND now() + interval '60 min'
         FROM clinical.notification WHERE state = 'pending'",
    )
    .fetch_all(&mut database)
    .await?;
    assert_eq!(waits, vec![true; GATHERED * 2 * NURSES_PER_SITE]);

    // Simulates that the hour has passed.
    sqlx::query("UPDATE clinical.notification SET due_at = now(), created_at = created_at - interval '1 hour'")
        .execute(&mut database)
        .await?;
    wait_for_count(&stack, "%", "delivered", (1 + GATHERED) * 2 * NURSES_PER_SITE).await?;
    let together: Vec<_> =
        stack.sms.accepted().into_iter().filter(|message| message.body.contains(" 5 more reports ")).collect();
    assert_eq!(together.len(), NURSES_PER_SITE);
    assert!(
        together[0].body.starts_with("ePRO: 5 more reports at your site need review. http"),
        "{}",
        together[0].body
    );
    assert_eq!((stack.sms.accepted().len(), stack.smtp.accepted().len()), (2 * NURSES_PER_SITE, 2 * NURSES_PER_SITE));
    assert_eq!(reconcile(&stack, &["--stuck-after", "0s"]).await?, (CLEAN.to_owned(), Some(0)));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn urgent_news_is_told_at_once_and_by_itself_whatever_is_gathered() -> anyhow::Result<()> {
    let stack = eager().start().await?;
    limit(&stack, 1, 1000).await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    for _ in 0..3 {
        submitted(&client, &token, PATIENT).await?;
    }
    for key in ["one", "two"] {
        submit_urgent(&client, &token, key).await?.expect_status(201)?;
    }
    wait_for_count(&stack, "%", "delivered", 3 * 2 * NURSES_PER_SITE).await?;
    let urgent = stack.sms.accepted().iter().filter(|message| message.body.starts_with("URGENT")).count();
    assert_eq!(urgent, 2 * NURSES_PER_SITE);
    assert_eq!(count(&stack, "%", "pending").await?, 2 * 2 * NURSES_PER_SITE);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_flood_of_reports_is_refused_for_a_while_and_keeps_no_urgent_one_out() -> anyhow::Result<()> {
    let stack = eager().start().await?;
    limit(&stack, 1000, 2).await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    client.submit(&token, "first", &report(PATIENT.assignment)).await?.expect_status(201)?;
    let body = report(PATIENT.assignment);
    client.submit(&token, "second", &body).await?.expect_status(201)?;
    let refused = client.submit_new(&token, PATIENT.assignment).await?;
    problem(&refused, 429, "too-many-reports")?;
    assert_eq!(refused.header("retry-after"), Some("600"));
    client.submit(&token, "second", &body).await?.expect_status(201)?;
    for key in ["one", "two"] {
        submit_urgent(&client, &token, key).await?.expect_status(201)?;
    }
    problem(&submit_urgent(&client, &token, "three").await?, 429, "too-many-reports")?;

    // A higher limit has the same effect as one report that is older than an hour.
    limit(&stack, 1000, 3).await?;
    submitted(&client, &token, PATIENT).await?;
    wait_for_count(&stack, "%", "delivered", 5 * 2 * NURSES_PER_SITE).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn amendments_have_the_same_limit_and_use_up_nobody_elses() -> anyhow::Result<()> {
    let stack = eager().start().await?;
    limit(&stack, 1000, 2).await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let first = submitted(&client, &token, PATIENT).await?;
    let second = client.amend(&token, &first, "*", &amendment()).await?.expect_status(201)?.text("report_id")?;
    let third = client.amend_under(&token, "third", &second, "*", &amendment()).await?.expect_status(201)?;
    let third = third.text("report_id")?;
    problem(&client.amend(&token, &third, "*", &amendment()).await?, 429, "too-many-reports")?;
    // A retry of the stored amendment still gets its answer, and new reports have a limit of their own.
    client.amend_under(&token, "third", &second, "*", &amendment()).await?.expect_status(201)?;
    submitted(&client, &token, PATIENT).await?;
    problem(&client.submit_new(&token, PATIENT.assignment).await?, 429, "too-many-reports")?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_flood_into_a_closed_study_is_called_a_flood() -> anyhow::Result<()> {
    let stack = eager().start().await?;
    limit(&stack, 1000, 1).await?;
    setup::close_study(&stack, Utc::now()).await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut body = report(PATIENT.assignment);
    body["captured_at"] = json!((Utc::now() - TimeDelta::minutes(1)).to_rfc3339());
    client.submit(&token, "first", &body).await?.expect_status(202)?;
    problem(&client.submit(&token, "second", &body).await?, 429, "too-many-reports")?;
    stack.stop().await?;
    Ok(())
}
