use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Coding, Extension, Identifier, Reference};

/// A filled-in questionnaire.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "what may stand there and is passed over")]
pub(in crate::fhir) struct QuestionnaireResponse {
    pub(in crate::fhir) resource_type: ResourceType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) meta: Option<Map<String, Value>>,
    #[serde(default, skip_serializing)]
    pub(in crate::fhir) language: Option<IgnoredAny>,
    #[serde(default, skip_serializing)]
    pub(in crate::fhir) text: Option<IgnoredAny>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::fhir) extension: Vec<Extension>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) identifier: Option<Identifier>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::fhir) based_on: Vec<Reference>,
    /// Canonical URL and version, `url|version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) questionnaire: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) subject: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) authored: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) author: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) source: Option<Reference>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::fhir) item: Vec<Answered>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::fhir) enum ResourceType {
    #[default]
    QuestionnaireResponse,
}

impl QuestionnaireResponse {
    /// A response without content.
    pub(in crate::fhir) fn empty() -> Self {
        Self {
            resource_type: ResourceType::QuestionnaireResponse,
            id: None,
            meta: None,
            language: None,
            text: None,
            extension: vec![],
            identifier: None,
            based_on: vec![],
            questionnaire: None,
            status: None,
            subject: None,
            authored: None,
            author: None,
            source: None,
            item: vec![],
        }
    }
}

/// An item of the questionnaire with its answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "what may stand there and is passed over")]
pub(in crate::fhir) struct Answered {
    #[serde(default, skip_serializing)]
    pub(in crate::fhir) id: Option<IgnoredAny>,
    #[serde(default, skip_serializing)]
    pub(in crate::fhir) extension: Option<IgnoredAny>,
    pub(in crate::fhir) link_id: String,
    #[serde(default, skip_serializing)]
    pub(in crate::fhir) definition: Option<IgnoredAny>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) text: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::fhir) answer: Vec<Answer>,
}

impl Answered {
    pub(in crate::fhir) fn new(link_id: &str, text: &str, answer: Answer) -> Self {
        let (link_id, text) = (link_id.to_owned(), Some(text.to_owned()));
        Self { id: None, extension: None, link_id, definition: None, text, answer: vec![answer] }
    }
}

/// One answer. One of the values is set.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "what may stand there and is passed over")]
pub(in crate::fhir) struct Answer {
    #[serde(default, skip_serializing)]
    pub(in crate::fhir) id: Option<IgnoredAny>,
    #[serde(default, skip_serializing)]
    pub(in crate::fhir) extension: Option<IgnoredAny>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) value_boolean: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) value_integer: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) value_decimal: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) value_string: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) value_coding: Option<Coding>,
}
