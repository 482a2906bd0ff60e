use axum::Json;
use axum::extract::State;
use http::StatusCode;
use proto::report as pb;
use serde::Serialize;
use utoipa::ToSchema;

use crate::extract::{Fields, JsonObject, Nurse, PathId};
use crate::problem::Problem;
use crate::representation::{ReviewOutcome, TraceReference};
use crate::router::Shared;

/// What a nurse makes of a report.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"outcome": "approved"})))]
struct Verdict {
    outcome: ReviewOutcome,
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
/// A revision is reviewed once. One that was replaced can still be reviewed if it has set off an urgent alert: until
/// then the report stays urgent and among those that wait.
#[utoipa::path(
    post,
    path = "/v1/reports/{id}/reviews",
    tag = "reviews",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The newest revision, or an urgent one.")),
    request_body = Verdict,
    responses((status = 201, description = "Stored.", body = Reviewed)),
    extensions(("x-problems" = json!(["wrong-role", "report-not-found", "already-reviewed", "report-superseded"]))),
)]
pub(crate) async fn review_report(
    State(shared): State<Shared>,
    Nurse(principal): Nurse,
    PathId(id): PathId,
    body: JsonObject,
) -> Result<(StatusCode, Json<Reviewed>), Problem> {
    let verdict = verdict(body)?;
    let request = pb::ReviewReportRequest {
        principal: Some(principal),
        report_id: id.to_string(),
        outcome: pb::ReviewOutcome::from(verdict.outcome).into(),
    };
    let review_id = shared.report.review(request).await?.review_id;
    let trace = TraceReference::current(shared.trace_url.as_deref());
    Ok((StatusCode::CREATED, Json(Reviewed { review_id, trace })))
}

fn verdict(body: JsonObject) -> Result<Verdict, Problem> {
    let mut fields = Fields::of(body.object);
    let outcome = fields.one_of("outcome", ReviewOutcome::named);
    fields.finish()?;
    // What is none was a violation.
    Ok(Verdict { outcome: outcome.ok_or(Problem::INTERNAL)? })
}
