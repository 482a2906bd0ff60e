use axum::Json;
use axum::extract::State;
use http::header::LOCATION;
use http::{HeaderName, StatusCode};
use proto::report::AmendReportRequest;
use serde::Serialize;
use service_kit::error::Reason;
use utoipa::ToSchema;

use crate::caller::Patient;
use crate::extract::{Body, Fields, IdempotencyKey, IfMatch, JsonBody, PathId};
use crate::problem::Problem;
use crate::representation::{Answers, Disposition, TraceReference};
use crate::shared::Shared;

/// A new revision of a report.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"answers": {"pain": 4, "rescue": false}, "reason": "I had mistyped the pain."})))]
pub(crate) struct Amendment {
    /// All answers of the new revision, not only those that changed.
    answers: Answers,
    /// The reason, in the patient's own words.
    #[schema(min_length = 1, max_length = 500, pattern = r"^[^\u0000]*[^\s\u0000][^\u0000]*$")]
    reason: String,
}

impl Body for Amendment {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { answers: Answers::take(fields), reason: fields.string("reason") })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Amended {
    /// Id of the new revision.
    #[schema(format = Uuid)]
    report_id: String,
    #[schema(minimum = 2)]
    revision: u32,
    disposition: Disposition,
    #[serde(flatten)]
    trace: TraceReference,
}

/// Amend a report
///
/// The report stays as it is; a new revision with its own id replaces it. `If-Match` makes sure that the patient has
/// seen the current state of the report: every revision and every review changes its `ETag`. An exact retry with the
/// same key gets the first answer again and stores nothing new.
#[utoipa::path(
    post,
    path = "/v1/reports/{id}/amendments",
    tag = "reports",
    security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "The newest revision."),
        ("If-Match" = String, Header,
         pattern = r#"^(\*|[ \t,]*(W/)?"[!#-~]*"([ \t]*,[ \t,]*(W/)?"[!#-~]*")*[ \t,]*)$"#, example = "\"1\"",
         description = "The report's ETag as it was read, a list of such, or `*` for any."),
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$",
         description = "The client's name for this amendment, such as a UUID; a retry sends the same one.",
         example = "6f1c0d52-7a58-4f0b-9f0e-3c2b1a0d9e8f"),
    ),
    request_body = Amendment,
    responses((
        status = 201, description = "Stored.", body = Amended,
        headers(("location" = String, description = "Path of the new revision.")),
    )),
    extensions(("x-problems" = json!([
        Reason::Inactive, Reason::WrongRole, Reason::ReportNotFound, Reason::RevisionMismatch,
        Reason::ReportSuperseded, Reason::RevisionLimit, Reason::StudyClosed, Reason::TooManyReports,
        Reason::IdempotencyKeyInProgress, Reason::IdempotencyKeyReused, Reason::ReportInvalid,
    ]))),
)]
pub(crate) async fn amend_report(
    State(shared): State<Shared>,
    Patient(principal): Patient,
    PathId(id): PathId,
    IfMatch(expected_states): IfMatch,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    JsonBody { value: amendment, raw }: JsonBody<Amendment>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Amended>), Problem> {
    let request = AmendReportRequest {
        principal: Some(principal),
        report_id: id.to_string(),
        expected_states,
        idempotency_key,
        answers: amendment.answers.into(),
        reason: amendment.reason,
        raw_body: raw.into(),
    };
    let amended = shared.report.amend(request).await?;
    let disposition = amended.disposition().try_into()?;
    let location = format!("/v1/reports/{}", amended.report_id);
    let trace = TraceReference::current(shared.trace_url.as_deref());
    let body = Amended { report_id: amended.report_id, revision: amended.revision, disposition, trace };
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(body)))
}

#[cfg(test)]
mod tests {
    use http::Method;
    use proto::domain::{self, Role};
    use proto::report as pb;
    use serde_json::json;
    use service_kit::error::Reason;

    use crate::testing::{Answer, Gateway, ID};

    async fn amend(gateway: &Gateway, if_match: Option<&'static str>) -> Answer {
        let headers: Vec<_> =
            [("idempotency-key", "1")].into_iter().chain(if_match.map(|tags| ("if-match", tags))).collect();
        let body = json!({"answers": {}, "reason": "Mistyped."});
        gateway.send(Method::POST, &format!("/v1/reports/{ID}/amendments"), &headers, &body).await
    }

    #[tokio::test]
    async fn a_new_revision_has_a_location_of_its_own() {
        let disposition = domain::Disposition::Accepted.into();
        let stored = pb::AmendReportResponse { report_id: ID.to_owned(), revision: 2, disposition };
        let gateway = Gateway::asked_by(Role::Patient).await.answering("AmendReport", &stored);
        let answer = amend(&gateway, Some("\"1\"")).await;
        assert_eq!((answer.status, answer.body["revision"].as_u64()), (201, Some(2)));
        assert_eq!(answer.headers["location"], format!("/v1/reports/{ID}"));
    }

    #[tokio::test]
    async fn nothing_is_amended_that_was_not_read() {
        let gateway = Gateway::asked_by(Role::Patient).await.refusing("AmendReport", Reason::RevisionMismatch);
        assert_eq!(amend(&gateway, None).await.problem(), (428, "precondition-required"));
        assert_eq!(amend(&gateway, Some("1")).await.problem(), (400, "if-match"));
        assert_eq!(amend(&gateway, Some("\"1\"")).await.problem(), (412, "revision-mismatch"));
    }
}
