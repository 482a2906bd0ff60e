use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{PgExecutor, query_as, query_scalar};
use telemetry::postgres::Tx;
use uuid::Uuid;

/// A version of a questionnaire.
pub(crate) struct QuestionnaireVersion {
    pub(crate) questionnaire_id: String,
    pub(crate) version: String,
    pub(crate) url: String,
    /// JSON, byte for byte what the digest was computed from.
    pub(crate) definition: String,
    pub(crate) sha256: Vec<u8>,
    pub(crate) retired_at: Option<DateTime<Utc>>,
    /// The language of `texts`, or of the definition if there are none.
    pub(crate) language: String,
    /// Translated texts by JSON pointer into the definition.
    pub(crate) texts: Option<Json<BTreeMap<String, String>>>,
}

/// A questionnaire by its short name and version, with its texts in the first of the languages that it has.
pub(crate) async fn find(
    executor: impl PgExecutor<'_>,
    questionnaire_id: &str,
    version: &str,
    languages: &[String],
) -> sqlx::Result<Option<QuestionnaireVersion>> {
    query_as!(
        QuestionnaireVersion,
        r#"SELECT questionnaire_id, version, url, definition::text AS "definition!", sha256, retired_at,
                  coalesce(translation.language, questionnaire_version.language) AS "language!",
                  translation.texts AS "texts?: Json<BTreeMap<String, String>>"
           FROM clinical.questionnaire_version
           LEFT JOIN LATERAL clinical.translation(questionnaire_version_id, $3) ON true
           WHERE questionnaire_id = $1 AND version = $2"#,
        questionnaire_id,
        version,
        languages,
    )
    .fetch_optional(executor)
    .await
}

/// The first questionnaire whose definition does not match its digest.
pub(crate) async fn first_changed(tx: &mut Tx<'_>) -> sqlx::Result<Option<Uuid>> {
    query_scalar!(
        "SELECT questionnaire_version_id
         FROM clinical.questionnaire_version
         WHERE sha256 <> sha256(convert_to(definition::text, 'UTF8'))
         ORDER BY questionnaire_version_id
         LIMIT 1",
    )
    .fetch_optional(tx)
    .await
}
