use serde::Serialize;
use serde_json::Value;

use super::{Coding, Extension};

/// A version of a questionnaire. Clients can only read it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::fhir) struct Questionnaire {
    pub(in crate::fhir) resource_type: &'static str,
    pub(in crate::fhir) id: String,
    pub(in crate::fhir) url: String,
    pub(in crate::fhir) version: String,
    pub(in crate::fhir) title: String,
    pub(in crate::fhir) status: &'static str,
    pub(in crate::fhir) subject_type: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) copyright: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::fhir) code: Vec<Coding>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::fhir) item: Vec<Item>,
}

/// One question, or a value that is computed from the answers.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::fhir) struct Item {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::fhir) extension: Vec<Extension>,
    pub(in crate::fhir) link_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::fhir) code: Vec<Coding>,
    pub(in crate::fhir) text: String,
    #[serde(rename = "type")]
    pub(in crate::fhir) kind: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::fhir) enable_when: Vec<EnableWhen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) enable_behavior: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::fhir) required: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::fhir) read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::fhir) max_length: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::fhir) answer_option: Vec<AnswerOption>,
}

/// A condition under which an item is asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::fhir) struct EnableWhen {
    pub(in crate::fhir) question: String,
    pub(in crate::fhir) operator: &'static str,
    /// The value to compare with, under the name of its type, such as `answerBoolean`.
    #[serde(flatten)]
    pub(in crate::fhir) answer: serde_json::Map<String, Value>,
}

/// An option of a choice: its code if it has one, else its value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::fhir) enum AnswerOption {
    ValueCoding(Coding),
    ValueInteger(i64),
}
