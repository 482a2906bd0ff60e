use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use proto::domain::Principal;
use proto::report::{SubmitReportRequest, SubmitReportResponse};

use super::base::BaseUrl;
use super::body::{Fhir, FhirObject};
use super::get_response::read as read_stored;
use super::key::HeaderKey;
use super::mapping::{Submission, read};
use super::outcome::OperationOutcome;
use super::prefer::Prefer;
use crate::caller::Patient;
use crate::extract::Languages;
use crate::problem::{FieldError, Problem};
use crate::representation::{Disposition, TraceReference};
use crate::shared::Shared;

/// Takes a filled-in questionnaire, as `POST /v1/reports` does.
pub(super) async fn create_response(
    State(shared): State<Shared>,
    Patient(principal): Patient,
    BaseUrl(base): BaseUrl,
    key: HeaderKey,
    prefer: Prefer,
    FhirObject(body): FhirObject,
) -> Result<Response, Problem> {
    let resource = read(body.object)?;
    let (idempotency_key, conditional) = key.or_of(resource.identifier.as_ref())?;
    let mut submission = Submission::of(resource, &principal.person_id)?;
    let assignment_id = match submission.assignment_id.take() {
        Some(named) => named,
        None => only_assignment(&shared, principal.clone(), &submission.questionnaire).await?,
    };
    let items = submission.take_items();
    let request = SubmitReportRequest {
        principal: Some(principal.clone()),
        idempotency_key,
        assignment_id,
        captured_at: submission.captured_at,
        answers: submission.answers,
        attested: submission.attested,
        raw_body: body.raw.into(),
        questionnaire: Some(submission.questionnaire),
    };
    let submitted = shared
        .report
        .submit(request)
        .await
        .map_err(|error| Problem::from(error).relocated(|error| Submission::place(&items, error)))?;
    answer(&shared, principal, &base, &submitted, conditional, prefer).await
}

/// The patient's assignment of this questionnaire, if there is exactly one. With several, the client has to name one: a
/// choice by the time of arrival could be another one for a late retry.
async fn only_assignment(shared: &Shared, patient: Principal, questionnaire: &str) -> Result<String, Problem> {
    let assignments = shared.data.list_assignments(patient, Languages::default()).await?.into_iter();
    let mut asked = assignments.filter(|one| format!("{}|{}", one.url, one.version) == questionnaire);
    let problem = |pointer: &str, code| Problem::invalid_body(vec![FieldError::new(pointer.to_owned(), code)]);
    match (asked.next(), asked.next()) {
        (Some(one), None) => Ok(one.assignment_id),
        (None, _) => Err(problem("/questionnaire", "questionnaire")),
        (Some(_), Some(_)) => Err(problem("/basedOn", "required")),
    }
}

async fn answer(
    shared: &Shared,
    principal: Principal,
    base: &str,
    submitted: &SubmitReportResponse,
    conditional: bool,
    prefer: Prefer,
) -> Result<Response, Problem> {
    let (status, text) = match submitted.disposition().try_into()? {
        // A conditional create of an existing resource answers 200 (R4, section 3.1.0.8.1).
        _ if conditional && submitted.replayed => (StatusCode::OK, "Stored before; nothing new was."),
        Disposition::Accepted => (StatusCode::CREATED, "Stored."),
        Disposition::Held => (StatusCode::ACCEPTED, "Stored, but held: a person must look."),
    };
    let location = [(LOCATION, format!("{base}/QuestionnaireResponse/{}", submitted.report_id))];
    let trace = TraceReference::current(shared.trace_url.as_deref());
    let outcome = || Fhir(OperationOutcome::success(text, &trace)).into_response();
    let body = match prefer {
        Prefer::Minimal => return Ok((status, location).into_response()),
        Prefer::OperationOutcome => outcome(),
        Prefer::Representation => {
            let id = submitted.report_id.parse().map_err(|_| Problem::INTERNAL)?;
            // The report is stored, even if it cannot be read back now.
            read_stored(shared, principal, id).await.map_or_else(|_| outcome(), |stored| Fhir(stored).into_response())
        }
    };
    Ok((status, location, body).into_response())
}
