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

/// A version of a questionnaire, with its title in a language of the reader, else in its own language.
#[derive(Serialize, ToSchema)]
pub(crate) struct TitledQuestionnaire {
    #[schema(example = "daily-symptom-diary")]
    pub(crate) id: String,
    #[schema(example = "1.0")]
    pub(crate) version: String,
    #[schema(example = "Daily symptom diary")]
    pub(crate) title: String,
}
