use axum::extract::State;
use proto::domain::Principal;
use uuid::Uuid;

use super::body::Fhir;
use super::mapping::{Definition, Filled, response};
use super::resource::QuestionnaireResponse;
use crate::caller::Anyone;
use crate::extract::{Languages, PathId};
use crate::problem::Problem;
use crate::shared::Shared;

/// Reads a revision of a report: open to its patient and to the nurses of its site.
pub(super) async fn get_response(
    State(shared): State<Shared>,
    Anyone(principal): Anyone,
    PathId(id): PathId,
) -> Result<Fhir<QuestionnaireResponse>, Problem> {
    read(&shared, principal, id).await.map(Fhir)
}

pub(super) async fn read(shared: &Shared, principal: Principal, id: Uuid) -> Result<QuestionnaireResponse, Problem> {
    let role = principal.role();
    let filled = Filled::from(shared.data.get_report(principal, id).await?);
    let found = shared
        .data
        .get_questionnaire(filled.questionnaire_id.clone(), filled.version.clone(), Languages::default())
        .await?;
    response(filled, &Definition::of(&found.definition)?, role)
}
