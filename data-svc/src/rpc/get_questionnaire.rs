use proto::data as pb;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;

/// An instrument as it is to be shown.
pub(crate) async fn get_questionnaire(
    db: &Db,
    request: &pb::GetQuestionnaireRequest,
) -> Result<pb::GetQuestionnaireResponse, DataError> {
    let found = store::questionnaire_version::find(db, &request.questionnaire_id, &request.version)
        .await?
        .ok_or(DataError::QuestionnaireNotFound)?;
    Ok(pb::GetQuestionnaireResponse {
        questionnaire_id: found.questionnaire_id,
        version: found.version,
        url: found.url,
        definition: found.definition,
        sha256: found.sha256,
        retired_at: found.retired_at.map(parse::timestamp),
    })
}
