use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::AppendHeaders;
use http::HeaderName;
use http::header::{CONTENT_LANGUAGE, VARY};
use serde::Serialize;
use serde_json::{Map, Value};
use service_kit::error::Reason;
use utoipa::ToSchema;

use crate::caller::Anyone;
use crate::extract::Languages;
use crate::problem::Problem;
use crate::representation::rfc3339;
use crate::shared::Shared;

/// Maximum number of characters of a questionnaire's name or version.
const NAME_LENGTH: usize = 100;

/// A version of a questionnaire; it never changes.
#[derive(Serialize, ToSchema)]
pub(crate) struct Questionnaire {
    #[schema(example = "daily-symptom-diary")]
    id: String,
    #[schema(example = "1.0")]
    version: String,
    /// Canonical URL.
    #[schema(format = "uri")]
    url: String,
    /// Language of the definition's texts (BCP 47).
    #[schema(example = "en")]
    language: String,
    /// SHA-256 of the definition as it was stored, with its original texts.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    sha256: String,
    /// From this time on, it must not be filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    retired_at: Option<String>,
    /// Title, items, scoring and alert rules.
    #[schema(value_type = Object)]
    definition: Map<String, Value>,
}

/// Read a questionnaire
///
/// The texts are in the most preferred language of `Accept-Language` that is available, else in the questionnaire's own
/// language.
#[utoipa::path(
    get,
    path = "/v1/questionnaires/{id}/versions/{version}",
    tag = "reports",
    security(("bearer" = [])),
    params(
        ("id" = String, Path, max_length = 100, example = "daily-symptom-diary"),
        ("version" = String, Path, max_length = 100, example = "1.0"),
        ("Accept-Language" = Option<String>, Header, example = "de-AT, en;q=0.5"),
    ),
    responses((
        status = 200,
        description = "The questionnaire.",
        body = Questionnaire,
        headers(("Content-Language" = String, description = "Of the definition's texts.")),
    )),
    extensions(("x-problems" = json!([Reason::Inactive, Reason::QuestionnaireNotFound]))),
)]
pub(crate) async fn get_questionnaire(
    State(shared): State<Shared>,
    _: Anyone,
    languages: Languages,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<(AppendHeaders<[(HeaderName, String); 2]>, Json<Questionnaire>), Problem> {
    let Ok(Path(name)) = path else { return Err(Problem::because(Reason::QuestionnaireNotFound)) };
    let questionnaire = Questionnaire::read(&shared, name, languages).await?;
    let headers = [(CONTENT_LANGUAGE, questionnaire.language.clone()), (VARY, "accept-language".to_owned())];
    Ok((AppendHeaders(headers), Json(questionnaire)))
}

impl Questionnaire {
    /// By its id and version.
    pub(crate) async fn read(
        shared: &Shared,
        (id, version): (String, String),
        languages: Languages,
    ) -> Result<Self, Problem> {
        if !can_be_a_name(&id) || !can_be_a_name(&version) {
            return Err(Problem::because(Reason::QuestionnaireNotFound));
        }
        let questionnaire = shared.data.get_questionnaire(id, version, languages).await?;
        Ok(Self {
            id: questionnaire.questionnaire_id,
            version: questionnaire.version,
            url: questionnaire.url,
            language: questionnaire.language,
            sha256: hex::encode(&questionnaire.sha256),
            retired_at: questionnaire.retired_at.map(|time| rfc3339(Some(time))).transpose()?,
            definition: serde_json::from_str(&questionnaire.definition).map_err(|_| Problem::INTERNAL)?,
        })
    }
}

/// A text that cannot be a name is not looked up, because the database refuses some characters, such as the null
/// character.
fn can_be_a_name(text: &str) -> bool {
    text.chars().count() <= NAME_LENGTH && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use proto::data::GetQuestionnaireResponse;
    use proto::domain::Role;
    use service_kit::error::Reason;

    use crate::testing::Gateway;

    const PATH: &str = "/v1/questionnaires/diary/versions/1.0";

    #[tokio::test]
    async fn a_questionnaire_says_its_language_and_that_it_depends_on_the_request() {
        let questionnaire = GetQuestionnaireResponse {
            questionnaire_id: "diary".to_owned(),
            language: "de".to_owned(),
            definition: "{\"title\": \"Tagebuch\"}".to_owned(),
            ..Default::default()
        };
        let gateway = Gateway::asked_by(Role::Patient).await.answering("GetQuestionnaire", &questionnaire);
        let answer = gateway.get(PATH).await;
        assert_eq!((answer.status, answer.body["definition"]["title"].as_str()), (200, Some("Tagebuch")));
        assert_eq!(answer.headers["content-language"], "de");
        assert!(answer.headers.get_all("vary").iter().any(|name| name == "accept-language"));
    }

    #[tokio::test]
    async fn a_name_that_none_can_have_is_not_asked_for() {
        // Were a service asked, it would be a defect.
        let gateway = Gateway::asked_by(Role::Nurse).await;
        for name in ["%00", &"x".repeat(101)] {
            let answer = gateway.get(&format!("/v1/questionnaires/{name}/versions/1.0")).await;
            assert_eq!(answer.problem(), (404, "questionnaire-not-found"));
        }
        let gateway = gateway.refusing("GetQuestionnaire", Reason::QuestionnaireNotFound);
        assert_eq!(gateway.get(PATH).await.problem(), (404, "questionnaire-not-found"));
    }
}
