use axum::extract::State;
use axum::response::Html;
use minijinja::value::Serde;
use minijinja::{Value, context};
use service_kit::error::Reason;

use crate::caller::Patient;
use crate::extract::PathId;
use crate::problem::Problem;
use crate::routes::get_questionnaire::Questionnaire;
use crate::routes::list_assignments;
use crate::shared::Shared;
use crate::web::Visit;
use crate::web::refusal::Refusal;

/// The questionnaire of an assignment, to be filled in. The page sends the report through the API, and keeps it until
/// it is stored.
pub(in crate::web) async fn show(
    State(shared): State<Shared>,
    visit: Visit,
    PathId(id): PathId,
) -> Result<Html<String>, Refusal> {
    let patient = visit.patient()?;
    let assignments =
        list_assignments::list_assignments(State(shared.clone()), Patient(patient), visit.languages()).await?;
    let assignment = assignments.0.find(id).ok_or(Problem::because(Reason::AssignmentNotFound))?;
    let questionnaire = Questionnaire::read(&shared, assignment.questionnaire(), visit.languages()).await?;
    let content = context! {
        assignment => Value::from(Serde(assignment)),
        questionnaire => Value::from(Serde(questionnaire)),
    };
    Ok(visit.page("assignment.html", content)?)
}
