use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use service_kit::error::Reason;

use super::body::Fhir;
use super::mapping::{Definition, QuestionnaireName, questionnaire};
use super::resource::Questionnaire;
use crate::caller::Anyone;
use crate::extract::Languages;
use crate::problem::Problem;
use crate::shared::Shared;

/// Reads a version of a questionnaire.
pub(super) async fn get_questionnaire(
    State(shared): State<Shared>,
    _: Anyone,
    path: Result<Path<String>, PathRejection>,
) -> Result<Fhir<Questionnaire>, Problem> {
    let name = path
        .ok()
        .and_then(|Path(id)| QuestionnaireName::of(&id))
        .ok_or(Problem::because(Reason::QuestionnaireNotFound))?;
    let found = shared.data.get_questionnaire(name.id.clone(), name.version.clone(), Languages::default()).await?;
    let definition = Definition::of(&found.definition)?;
    let retired_at = found.retired_at.and_then(|time| DateTime::from_timestamp(time.seconds, 0));
    let retired = retired_at.is_some_and(|retired_at| retired_at <= Utc::now());
    Ok(Fhir(questionnaire(&name, found.url, retired, &definition)))
}
