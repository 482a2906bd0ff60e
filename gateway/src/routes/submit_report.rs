use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use proto::report::{Answer, SubmitReportRequest, answer};
use proto::user::Principal;
use serde::Serialize;
use serde_json::Value;
use telemetry::TraceContext;
use uuid::Uuid;

use crate::extract::{Fields, IdempotencyKey, JsonObject, Patient};
use crate::problem::Problem;
use crate::router::Shared;

#[derive(Serialize)]
struct Submitted {
    report_id: String,
    trace_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_url: Option<String>,
}

/// `POST /v1/reports`: 201 once the report is stored, the same for an exact retry.
pub(crate) async fn submit_report(
    State(shared): State<Shared>,
    Patient(principal): Patient,
    IdempotencyKey(key): IdempotencyKey,
    body: JsonObject,
) -> Result<Response, Problem> {
    let submitted = shared.report.submit(request(principal, key, body)?).await?;
    let trace_id = TraceContext::current().trace_id().to_string();
    let trace_url = shared.trace_url.map(|url| format!("{url}{trace_id}"));
    let location = format!("/v1/reports/{}", submitted.report_id);
    let body = Submitted { report_id: submitted.report_id, trace_id, trace_url };
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(body)).into_response())
}

fn request(principal: Principal, idempotency_key: String, body: JsonObject) -> Result<SubmitReportRequest, Problem> {
    let mut fields = Fields::of(body.object);
    let assignment_id = fields.string("assignment_id");
    let captured_at = fields.string("captured_at");
    let attested = fields.boolean("attested");
    let given = fields.object("answers");
    let count = given.len();
    let answers: HashMap<_, _> =
        given.into_iter().filter_map(|(link_id, value)| Some((link_id, answer(value)?))).collect();
    if answers.len() < count {
        // Which ones is not said: an unknown link_id is the sender's own words, and nobody here knows the known.
        fields.violation("/answers".to_owned(), "type");
    }
    fields.finish()?;
    let assignment_id = assignment_id.parse::<Uuid>().map_err(|_| Problem::MALFORMED_ID)?.to_string();
    Ok(SubmitReportRequest {
        principal: Some(principal),
        idempotency_key,
        assignment_id,
        captured_at,
        answers,
        attested,
        raw_body: body.raw.into(),
    })
}

fn answer(value: Value) -> Option<Answer> {
    let value = match value {
        Value::Bool(value) => answer::Value::Boolean(value),
        Value::Number(value) => match value.as_i64() {
            Some(value) => answer::Value::Integer(value),
            None => answer::Value::Decimal(value.as_f64()?),
        },
        Value::String(value) => answer::Value::Text(value),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(Answer { value: Some(value) })
}
