use axum::Json;
use axum::extract::State;
use http::header::LOCATION;
use http::{HeaderName, StatusCode};
use proto::domain::Principal;
use proto::report::SubmitReportRequest;
use serde::Serialize;
use service_kit::error::Reason;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use uuid::Uuid;

use crate::caller::Patient;
use crate::extract::{Body, Fields, IdempotencyKey, JsonBody};
use crate::problem::{Problem, ProblemType};
use crate::representation::{Answers, Disposition, TraceReference};
use crate::shared::Shared;

/// A filled-in questionnaire.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "assignment_id": "a551a9e0-1d1a-4f00-8000-000000000001",
    "captured_at": "2026-03-01T08:30:00+01:00",
    "answers": {"pain": 3, "rescue": true, "rescue_doses": 1, "temperature": 36.9, "note": "Slept well."},
    "attested": true,
})))]
pub(crate) struct Submission {
    #[schema(format = Uuid)]
    assignment_id: String,
    /// When it was filled in by the phone's clock, with the offset from UTC: not before the enrolment, and at most five
    /// minutes ahead of the server's clock.
    #[schema(format = DateTime)]
    captured_at: String,
    answers: Answers,
    /// The patient attests that this is their own account. Only `true` is accepted.
    #[schema(schema_with = only_true)]
    attested: bool,
}

impl Body for Submission {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            assignment_id: fields.string("assignment_id"),
            captured_at: fields.string("captured_at"),
            attested: fields.boolean("attested"),
            answers: Answers::take(fields),
        })
    }
}

fn only_true() -> Object {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true])).build()
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Submitted {
    #[schema(format = Uuid)]
    report_id: String,
    disposition: Disposition,
    #[serde(flatten)]
    trace: TraceReference,
}

/// Submit a report
///
/// After 201 or 202 the report is stored for good, and the patient's copy may be deleted. A retry with the same key and
/// the same content gets the first answer again and stores nothing new; the order of members and white space do not
/// matter.
#[utoipa::path(
    post,
    path = "/v1/reports",
    tag = "reports",
    security(("bearer" = [])),
    params((
        "Idempotency-Key" = String, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$",
        description = "The client's name for this submission, such as a UUID; a retry sends the same one.",
        example = "6f1c0d52-7a58-4f0b-9f0e-3c2b1a0d9e8f",
    )),
    request_body = Submission,
    responses(
        (status = 201, description = "Stored.", body = Submitted,
         headers(("location" = String, description = "Path of the report."))),
        (status = 202, description = "Stored, but held: a person must look.", body = Submitted,
         headers(("location" = String, description = "Path of the report."))),
    ),
    extensions(("x-problems" = json!([
        Reason::Inactive, ProblemType::MALFORMED_ID, Reason::WrongRole, Reason::AssignmentNotFound,
        Reason::WindowUsed, Reason::StudyClosed, Reason::TooManyReports, Reason::IdempotencyKeyInProgress,
        Reason::IdempotencyKeyReused, Reason::ReportInvalid, Reason::WindowsPending,
    ]))),
)]
pub(crate) async fn submit_report(
    State(shared): State<Shared>,
    Patient(principal): Patient,
    IdempotencyKey(key): IdempotencyKey,
    body: JsonBody<Submission>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Submitted>), Problem> {
    let submitted = shared.report.submit(request(principal, key, body)?).await?;
    let disposition = submitted.disposition().try_into()?;
    let status = match disposition {
        Disposition::Accepted => StatusCode::CREATED,
        Disposition::Held => StatusCode::ACCEPTED,
    };
    let location = format!("/v1/reports/{}", submitted.report_id);
    let trace = TraceReference::current(shared.trace_url.as_deref());
    let body = Submitted { report_id: submitted.report_id, disposition, trace };
    Ok((status, [(LOCATION, location)], Json(body)))
}

fn request(
    principal: Principal,
    idempotency_key: String,
    JsonBody { value: submission, raw }: JsonBody<Submission>,
) -> Result<SubmitReportRequest, Problem> {
    let assignment_id = submission.assignment_id.parse::<Uuid>().map_err(|_| Problem::MALFORMED_ID)?.to_string();
    Ok(SubmitReportRequest {
        principal: Some(principal),
        idempotency_key,
        assignment_id,
        captured_at: submission.captured_at,
        answers: submission.answers.into(),
        attested: submission.attested,
        raw_body: raw.into(),
        // The assignment determines it.
        questionnaire: None,
    })
}

#[cfg(test)]
mod tests {
    use http::Method;
    use proto::domain::{self, Role};
    use proto::report as pb;
    use serde_json::{Value, json};
    use service_kit::error::Reason;

    use crate::testing::{Answer, Gateway, ID};

    async fn submit(gateway: &Gateway, assignment_id: &str) -> Answer {
        let body = json!({
            "assignment_id": assignment_id, "captured_at": "2026-01-01T08:00:00Z", "answers": {}, "attested": true,
        });
        gateway.send(Method::POST, "/v1/reports", &[("idempotency-key", "1")], &body).await
    }

    #[tokio::test]
    async fn a_report_that_is_held_is_accepted_and_has_a_location() {
        let stored = pb::SubmitReportResponse {
            report_id: ID.to_owned(),
            disposition: domain::Disposition::Held.into(),
            ..Default::default()
        };
        let gateway = Gateway::asked_by(Role::Patient).await.answering("SubmitReport", &stored);
        let answer = submit(&gateway, ID).await;
        assert_eq!((answer.status, &answer.body["disposition"]), (202, &Value::from("held")));
        assert_eq!(answer.headers["location"], format!("/v1/reports/{ID}"));
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_submission_is_said_by_its_problem() {
        let gateway = Gateway::asked_by(Role::Patient).await.refusing("SubmitReport", Reason::TooManyReports);
        assert_eq!(submit(&gateway, "1").await.problem(), (400, "malformed-id"));
        let answer = submit(&gateway, ID).await;
        assert_eq!(answer.problem(), (429, "too-many-reports"));
        assert_eq!(answer.headers["retry-after"], "600");
        let gateway = Gateway::asked_by(Role::Nurse).await;
        assert_eq!(submit(&gateway, ID).await.problem(), (403, "wrong-role"));
    }
}
