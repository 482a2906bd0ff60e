//! The part of a questionnaire version's definition that a Questionnaire shows.

use serde::Deserialize;
use serde_json::Value;

use crate::fhir::resource::Coding;
use crate::problem::Problem;

#[derive(Debug, Deserialize)]
pub(in crate::fhir) struct Definition {
    pub(super) title: String,
    pub(super) copyright: Option<String>,
    pub(super) instructions: Option<String>,
    /// URI of the code system that all codes belong to.
    #[serde(default = "loinc")]
    code_system: String,
    code: Option<String>,
    pub(super) items: Vec<Item>,
    pub(super) scoring: Option<Scoring>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Item {
    pub(super) link_id: String,
    #[serde(rename = "type")]
    pub(super) kind: ItemType,
    pub(super) text: String,
    pub(super) code: Option<String>,
    #[serde(default)]
    pub(super) required: bool,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) max_length: Option<u32>,
    #[serde(default)]
    pub(super) options: Vec<Choice>,
    #[serde(default)]
    pub(super) enable_when: Vec<Condition>,
    pub(super) enable_behavior: Option<EnableBehavior>,
}

impl Item {
    pub(super) fn is_decimal(&self) -> bool {
        self.kind == ItemType::Decimal
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ItemType {
    Integer,
    Decimal,
    Boolean,
    Text,
    Choice,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    pub(super) value: i64,
    pub(super) code: Option<String>,
    pub(super) text: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Condition {
    pub(super) link_id: String,
    pub(super) operator: Operator,
    pub(super) answer: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Operator {
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = ">")]
    Greater,
    #[serde(rename = ">=")]
    AtLeast,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum EnableBehavior {
    All,
    Any,
}

/// The total score. It is shown as an item if it has a `link_id`.
#[derive(Debug, Deserialize)]
pub(super) struct Scoring {
    pub(super) link_id: Option<String>,
    pub(super) code: Option<String>,
    #[serde(default = "total")]
    pub(super) text: String,
}

impl Definition {
    pub(in crate::fhir) fn of(definition: &str) -> Result<Self, Problem> {
        serde_json::from_str(definition).map_err(|_| Problem::INTERNAL)
    }

    /// The code of the whole questionnaire, if it has one.
    pub(super) fn code(&self) -> Vec<Coding> {
        self.coding(self.code.as_deref(), None)
    }

    /// The coding of a code of this questionnaire; empty without a code.
    pub(super) fn coding(&self, code: Option<&str>, display: Option<&str>) -> Vec<Coding> {
        code.map(|code| Coding::new(&self.code_system, code, display)).into_iter().collect()
    }

    /// The coding of an option of a choice, if it has a code.
    pub(super) fn choice(&self, choice: &Choice) -> Option<Coding> {
        choice.code.as_deref().map(|code| Coding::new(&self.code_system, code, Some(&choice.text)))
    }

    pub(super) fn item(&self, link_id: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.link_id == link_id)
    }
}

/// The code system of a definition that names none.
fn loinc() -> String {
    "http://loinc.org".to_owned()
}

fn total() -> String {
    "Total score".to_owned()
}
