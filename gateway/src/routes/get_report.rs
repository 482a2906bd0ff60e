use axum::Json;
use axum::extract::State;
use chrono::{DateTime, SecondsFormat};
use proto::report::answer;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::extract::{Anyone, PathId};
use crate::problem::Problem;
use crate::router::Shared;

#[derive(Serialize)]
pub(crate) struct Report {
    report_id: String,
    assignment_id: String,
    revision: u32,
    /// By the phone's clock, RFC 3339.
    captured_at: String,
    /// By ours, RFC 3339.
    received_at: Option<String>,
    answers: Map<String, Value>,
}

/// `GET /v1/reports/{id}`: a report, for its patient and for the nurses of its site.
pub(crate) async fn get_report(
    State(shared): State<Shared>,
    Anyone(principal): Anyone,
    PathId(id): PathId,
) -> Result<Json<Report>, Problem> {
    let report = shared.data.get_report(principal, id).await?;
    let received_at = report
        .received_at
        .and_then(|time| DateTime::from_timestamp(time.seconds, time.nanos.try_into().ok()?))
        .map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, true));
    Ok(Json(Report {
        report_id: report.report_id,
        assignment_id: report.assignment_id,
        revision: report.revision,
        captured_at: report.captured_at,
        received_at,
        answers: report.answers.into_iter().map(|(link_id, answer)| (link_id, json(answer.value))).collect(),
    }))
}

fn json(answer: Option<answer::Value>) -> Value {
    match answer {
        Some(answer::Value::Integer(value)) => value.into(),
        Some(answer::Value::Decimal(value)) => value.into(),
        Some(answer::Value::Boolean(value)) => value.into(),
        Some(answer::Value::Text(value)) => value.into(),
        None => Value::Null,
    }
}
