use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::response::{Html, Redirect};
use minijinja::value::Serde;
use minijinja::{Value, context};
use proto::domain::{self, Role};
use proto::report as pb;
use serde::Deserialize;
use uuid::Uuid;

use crate::caller::{Anyone, Nurse};
use crate::extract::{EventPage, PathId};
use crate::problem::Problem;
use crate::representation::ReviewOutcome;
use crate::routes::get_questionnaire::Questionnaire;
use crate::routes::{get_report, list_audit_events};
use crate::shared::Shared;
use crate::web::Visit;
use crate::web::refusal::Refusal;

/// A report with its questions; for a nurse also with its score, alerts and audit trail.
pub(in crate::web) async fn show(
    State(shared): State<Shared>,
    visit: Visit,
    PathId(id): PathId,
) -> Result<Html<String>, Refusal> {
    let principal = visit.anyone()?;
    let (_, report) = get_report::get_report(State(shared.clone()), Anyone(principal.clone()), PathId(id)).await?;
    let questionnaire = Questionnaire::read(&shared, report.questionnaire(), visit.languages()).await?;
    let audit = match principal.role() {
        Role::Nurse => {
            let page = EventPage { limit: 100, after: None };
            let events =
                list_audit_events::list_audit_events(State(shared), Nurse(principal), PathId(id), page).await?;
            Value::from(Serde(events.0))
        }
        _ => Value::from(()),
    };
    let content = context! {
        report => Value::from(Serde(report.0)),
        questionnaire => Value::from(Serde(questionnaire)),
        audit,
        // If the form is sent twice, only one review is stored.
        idempotency_key => Uuid::new_v4().to_string(),
    };
    Ok(visit.page("report.html", content)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct Verdict {
    outcome: ReviewOutcome,
    idempotency_key: Uuid,
}

/// Stores a nurse's review, and shows the report again.
pub(in crate::web) async fn review(
    State(shared): State<Shared>,
    visit: Visit,
    PathId(id): PathId,
    verdict: Result<Form<Verdict>, FormRejection>,
) -> Result<Redirect, Refusal> {
    let nurse = visit.nurse()?;
    let Form(verdict) = verdict.map_err(|_| Problem::BAD_REQUEST)?;
    let request = pb::ReviewReportRequest {
        principal: Some(nurse),
        report_id: id.to_string(),
        outcome: domain::ReviewOutcome::from(verdict.outcome).into(),
        idempotency_key: verdict.idempotency_key.to_string(),
    };
    shared.report.review(request).await?;
    Ok(Redirect::to(&format!("/reports/{id}")))
}
