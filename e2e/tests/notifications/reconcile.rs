//! `data-svc reconcile` and the log name the reports that no nurse was notified of.

use e2e::{DEADLINE, NURSES_PER_SITE, PATIENT, submitted};
use serde_json::json;
use testkit::poll;
use testkit::stack::{Service, Stack};
use uuid::Uuid;

use super::{eager, wait_for_count};

/// Its output when nothing is wrong.
pub(super) const CLEAN: &str = "0 reports that nobody was told of, 0 stuck notifications\n";

/// The output of `data-svc reconcile`, and its exit code.
pub(super) async fn reconcile(stack: &Stack, options: &[&str]) -> anyhow::Result<(String, Option<i32>)> {
    let output = stack.command(Service::DataSvc, &[&["reconcile"], options].concat()).await?;
    Ok((String::from_utf8(output.stdout)?, output.status.code()))
}

#[tokio::test]
async fn reconciliation_names_what_is_stuck_and_who_was_never_told() -> anyhow::Result<()> {
    let mut stack = eager().start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    stack.kill(Service::NotifySvc).await?;
    submitted(&client, &token, PATIENT).await?;
    let clean = (CLEAN.to_owned(), Some(0));
    assert_eq!(reconcile(&stack, &[]).await?, clean);
    let (text, code) = reconcile(&stack, &["--stuck-after", "0s"]).await?;
    assert!(text.starts_with("0 reports that nobody was told of, 4 stuck notifications\n"), "{text}");
    let mut database = stack.database.connect().await?;
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT notification_id FROM clinical.notification").fetch_all(&mut database).await?;
    assert!(ids.iter().all(|id| text.contains(&format!("\nnotification {id} pending"))), "{text}");
    assert_eq!(code, Some(1));

    stack.restart(Service::NotifySvc).await?;
    wait_for_count(&stack, "%", "delivered", 2 * NURSES_PER_SITE).await?;
    assert_eq!(reconcile(&stack, &["--stuck-after", "0s"]).await?, clean);
    sqlx::query("UPDATE identity.person SET active = false WHERE role = 'nurse'").execute(&mut database).await?;
    let report_id = submitted(&client, &token, PATIENT).await?;
    let is_unnotified = |line: &serde_json::Value| line["message"] == "nobody is told of this report";
    let line = stack.wait_for_log(Service::DataSvc, DEADLINE, is_unnotified).await?;
    assert_eq!(
        (&line["report_id"], &line["urgent"], &line["level"]),
        (&json!(report_id), &json!(false), &json!("WARN"))
    );
    let expected = format!("1 reports that nobody was told of, 0 stuck notifications\nreport {report_id}\n");
    assert_eq!(reconcile(&stack, &["--stuck-after", "0s"]).await?, (expected, Some(1)));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_is_put_off_again_and_again_shows_after_a_day() -> anyhow::Result<()> {
    let mut stack = eager().start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    stack.kill(Service::NotifySvc).await?;
    submitted(&client, &token, PATIENT).await?;
    let mut database = stack.database.connect().await?;
    sqlx::query(
        "UPDATE clinical.notification SET created_at = now() - interval '26 hours', due_at = now() + interval '1 min'",
    )
    .execute(&mut database)
    .await?;
    let (text, code) = reconcile(&stack, &[]).await?;
    assert!(text.starts_with("0 reports that nobody was told of, 4 stuck notifications\n"), "{text}");
    assert_eq!(code, Some(1));
    assert_eq!(reconcile(&stack, &["--pending-after", "27h"]).await?, (CLEAN.to_owned(), Some(0)));
    // With quiet hours, the last attempt may have been delayed until the end of a night.
    sqlx::query("UPDATE clinical.site SET quiet_from = '22:00', quiet_until = '07:00'").execute(&mut database).await?;
    assert_eq!(reconcile(&stack, &[]).await?, (CLEAN.to_owned(), Some(0)));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_report_that_nobody_is_told_of_is_counted() -> anyhow::Result<()> {
    let stack = Stack::builder()
        .env(Service::DataSvc, "EPRO_TELEMETRY__METRICS", "otlp")
        .env(Service::DataSvc, "OTEL_METRIC_EXPORT_INTERVAL", "200")
        .start()
        .await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    submitted(&client, &token, PATIENT).await?;
    // A nurse who leaves before the delivery counts as not notified.
    wait_for_count(&stack, "%", "delivered", 2 * NURSES_PER_SITE).await?;
    sqlx::query("UPDATE identity.person SET active = false WHERE role = 'nurse'")
        .execute(&mut stack.database.connect().await?)
        .await?;
    submitted(&client, &token, PATIENT).await?;
    let count = async || Ok(stack.otlp.sum("epro.report.unnotified", &[]));
    assert_eq!(poll::until(DEADLINE, count, |count| *count > 0).await?, 1);
    stack.stop().await?;
    Ok(())
}
