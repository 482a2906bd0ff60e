//! 409 and 412: conflicts with stored data. For concurrent requests see `submissions`.

use e2e::setup::{self, Window, close_study};
use e2e::{NURSE, PATIENT, amendment, submitted};
use serde_json::json;
use testkit::client::{Token, report};
use testkit::stack::Stack;
use uuid::Uuid;

use super::case::{Case, MARK, changed};

fn amend(name: &'static str, patient: &Token, report_id: &str, tag: &str) -> Case {
    Case::new(name, "POST", format!("/v1/reports/{report_id}/amendments"))
        .bearer(patient)
        .header("if-match", tag)
        .header("idempotency-key", Uuid::new_v4().to_string())
        .json(amendment().to_string())
}

fn review(name: &'static str, nurse: &Token, report_id: &str) -> Case {
    Case::new(name, "POST", format!("/v1/reports/{report_id}/reviews"))
        .bearer(nurse)
        .header("idempotency-key", Uuid::new_v4().to_string())
        .json(json!({"outcome": "rejected"}).to_string())
}

pub(super) async fn with_earlier_requests(stack: &Stack) -> anyhow::Result<Vec<Case>> {
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let amended =
        client.submit(&patient, "key", &report(PATIENT.assignment)).await?.expect_status(201)?.text("report_id")?;
    let current = client.amend(&patient, &amended, "\"1\"", &amendment()).await?.expect_status(201)?;
    let current = current.text("report_id")?;
    let reviewed = submitted(&client, &patient, PATIENT).await?;
    client.review(&nurse, &reviewed, "approved").await?.expect_status(201)?;
    let assignment_id = setup::schedule(stack, PATIENT.assignment, &[Window::open()]).await?;
    client.submit(&patient, "first", &report(assignment_id)).await?.expect_status(201)?;

    let other_body = changed(PATIENT.assignment, |body| body["answers"]["note"] = json!(MARK));
    Ok(vec![
        Case::submission("a key for another body", &patient, other_body).expect(422, "idempotency-key-reused"),
        Case::submission("a window for the second time", &patient, report(assignment_id).to_string())
            .instead("idempotency-key", "second")
            .expect(409, "window-used"),
        review("a second review", &nurse, &reviewed).expect(409, "already-reviewed"),
        review("a review of what was replaced", &nurse, &amended).expect(409, "report-superseded"),
        amend("an amendment under a report's key", &patient, &current, "\"2\"")
            .instead("idempotency-key", "key")
            .expect(422, "idempotency-key-reused"),
        review("a review under a report's key", &nurse, &current)
            .instead("idempotency-key", "key")
            .expect(422, "idempotency-key-reused"),
        amend("an amendment of what was replaced", &patient, &amended, "\"2\"").expect(409, "report-superseded"),
        amend("an amendment of an earlier revision", &patient, &amended, "\"1\"").expect(412, "revision-mismatch"),
        amend("an amendment by an old tag", &patient, &current, "\"1\"").expect(412, "revision-mismatch"),
        amend("an amendment by a tag to come", &patient, &current, "\"3\"").expect(412, "revision-mismatch"),
        amend("an amendment by a tag from before a review", &patient, &reviewed, "\"1\"")
            .expect(412, "revision-mismatch"),
        amend("an amendment by a weak tag", &patient, &current, "W/\"2\"").expect(412, "revision-mismatch"),
    ])
}

/// These cases run last, because a study cannot be opened again.
pub(super) async fn with_a_closed_study(stack: &Stack) -> anyhow::Result<Vec<Case>> {
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let body = report(PATIENT.assignment);
    let stored = client.submit(&patient, "before", &body).await?.expect_status(201)?.text("report_id")?;
    close_study(stack, setup::now()).await?;
    // Stored reports can still be reviewed.
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    client.review(&nurse, &stored, "approved").await?.expect_status(201)?;
    Ok(vec![
        Case::submission("a report for a closed study", &patient, report(PATIENT.assignment).to_string())
            .instead("idempotency-key", "after")
            .expect(409, "study-closed"),
        amend("an amendment in a closed study", &patient, &stored, "\"2\"").expect(409, "study-closed"),
    ])
}
