use serde::Serialize;
use utoipa::ToSchema;

/// Names a version of a questionnaire.
#[derive(Serialize, ToSchema)]
pub(crate) struct QuestionnaireReference {
    #[schema(example = "daily-symptom-diary")]
    pub(crate) id: String,
    #[schema(example = "1.0")]
    pub(crate) version: String,
}
