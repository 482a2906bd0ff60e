use axum::Json;
use axum::extract::State;
use http::StatusCode;
use proto::{domain, report as pb};
use serde::Serialize;
use utoipa::ToSchema;

use crate::extract::{Body, Fields, IdempotencyKey, JsonBody, Nurse, PathId};
use crate::problem::Problem;
use crate::representation::{ReviewOutcome, TraceReference};
use crate::router::Shared;

/// A nurse's review of a report.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"outcome": "approved"})))]
pub(crate) struct Verdict {
    outcome: ReviewOutcome,
}

impl Body for Verdict {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { outcome: fields.one_of("outcome", ReviewOutcome::named)? })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Reviewed {
    #[schema(format = Uuid)]
    review_id: String,
    #[serde(flatten)]
    trace: TraceReference,
}

/// Review a report
///
/// A revision is reviewed once. A revision that was replaced can still be reviewed if it has an urgent alert: until
/// then the report stays urgent and pending. An exact retry with the same key gets the first answer again.
#[utoipa::path(
    post,
    path = "/v1/reports/{id}/reviews",
    tag = "reviews",
    security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The newest revision, or an urgent one."),
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$",
         description = "The client's name for this review, such as a UUID; a retry sends the same one.",
         example = "6f1c0d52-7a58-4f0b-9f0e-3c2b1a0d9e8f"),
    ),
    request_body = Verdict,
    responses((status = 201, description = "Stored.", body = Reviewed)),
    extensions(("x-problems" = json!([
        "wrong-role", "report-not-found", "already-reviewed", "report-superseded", "idempotency-key-in-progress",
        "idempotency-key-reused",
    ]))),
)]
pub(crate) async fn review_report(
    State(shared): State<Shared>,
    Nurse(principal): Nurse,
    PathId(id): PathId,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    JsonBody { value: verdict, .. }: JsonBody<Verdict>,
) -> Result<(StatusCode, Json<Reviewed>), Problem> {
    let request = pb::ReviewReportRequest {
        principal: Some(principal),
        report_id: id.to_string(),
        outcome: domain::ReviewOutcome::from(verdict.outcome).into(),
        idempotency_key,
    };
    let review_id = shared.report.review(request).await?.review_id;
    let trace = TraceReference::current(shared.trace_url.as_deref());
    Ok((StatusCode::CREATED, Json(Reviewed { review_id, trace })))
}
