use axum::Json;
use axum::extract::State;
use http::StatusCode;
use proto::{domain, report as pb};
use serde::Serialize;
use service_kit::error::Reason;
use utoipa::ToSchema;

use crate::caller::Nurse;
use crate::extract::{Body, Fields, IdempotencyKey, JsonBody, PathId};
use crate::problem::Problem;
use crate::representation::{ReviewOutcome, TraceReference};
use crate::shared::Shared;

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
        Reason::Inactive, Reason::WrongRole, Reason::ReportNotFound, Reason::AlreadyReviewed,
        Reason::ReportSuperseded, Reason::IdempotencyKeyInProgress, Reason::IdempotencyKeyReused,
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

#[cfg(test)]
mod tests {
    use http::Method;
    use proto::domain::Role;
    use proto::report::ReviewReportResponse;
    use serde_json::json;
    use service_kit::error::Reason;

    use crate::testing::{Answer, Gateway, ID};

    async fn review(gateway: &Gateway, outcome: &str) -> Answer {
        let path = format!("/v1/reports/{ID}/reviews");
        gateway.send(Method::POST, &path, &[("idempotency-key", "1")], &json!({"outcome": outcome})).await
    }

    #[tokio::test]
    async fn a_review_has_an_outcome_that_there_is_and_comes_first() {
        let gateway = Gateway::asked_by(Role::Nurse).await;
        let answer = review(&gateway, "perhaps").await;
        assert_eq!(answer.problem(), (422, "invalid-body"));
        assert_eq!(answer.body["errors"], json!([{"pointer": "/outcome", "code": "enum"}]));
        let gateway = gateway.answering("ReviewReport", &ReviewReportResponse { review_id: ID.to_owned() });
        let answer = review(&gateway, "has_issues").await;
        assert_eq!((answer.status, &answer.body["review_id"]), (201, &json!(ID)));
        let gateway = gateway.refusing("ReviewReport", Reason::AlreadyReviewed);
        assert_eq!(review(&gateway, "approved").await.problem(), (409, "already-reviewed"));
    }
}
