use std::collections::BTreeMap;

use proto::data as pb;
use serde_json::Value;
use service_kit::error::Reason;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;

/// A questionnaire in the first of the requested languages that it has; if it has none of them, in its own language.
pub(crate) async fn get_questionnaire(
    db: &Db,
    request: &pb::GetQuestionnaireRequest,
) -> Result<pb::GetQuestionnaireResponse, DataError> {
    let pb::GetQuestionnaireRequest { questionnaire_id, version, languages } = request;
    let found = store::questionnaire_version::find(db, questionnaire_id, version, languages)
        .await?
        .ok_or(DataError::Refused(Reason::QuestionnaireNotFound))?;
    let definition = match found.texts {
        Some(texts) => translated(&found.definition, texts.0)?,
        None => found.definition,
    };
    Ok(pb::GetQuestionnaireResponse {
        questionnaire_id: found.questionnaire_id,
        version: found.version,
        url: found.url,
        definition,
        sha256: found.sha256,
        retired_at: found.retired_at.map(parse::timestamp),
        language: found.language,
    })
}

/// The definition with its texts replaced by these, whose keys are JSON pointers. A pointer to something that is not a
/// text is ignored.
fn translated(definition: &str, texts: BTreeMap<String, String>) -> Result<String, DataError> {
    let mut definition: Value = serde_json::from_str(definition).map_err(|_| DataError::Malformed("definition"))?;
    for (place, text) in texts {
        if let Some(Value::String(own)) = definition.pointer_mut(&place) {
            *own = text;
        }
    }
    Ok(definition.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_alone_are_replaced_and_numbers_stay_as_they_are() -> Result<(), DataError> {
        let definition = json!({"title": "Pain", "items": [{"link_id": "pain", "text": "How much?", "max": 10.0}]});
        let texts = [("/title", "Schmerz"), ("/items/0/text", "Wie viel?"), ("/items/0/max", "elf"), ("/items/7", "x")];
        let texts = texts.map(|(place, text)| (place.to_owned(), text.to_owned()));
        let german = translated(&definition.to_string(), texts.into())?;
        let expected = json!({"title": "Schmerz", "items": [{"link_id": "pain", "text": "Wie viel?", "max": 10.0}]});
        assert_eq!(german, expected.to_string());
        Ok(())
    }
}
