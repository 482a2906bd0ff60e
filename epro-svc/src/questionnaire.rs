//! The part of a questionnaire's definition that the rules and the assessment need.

use std::cmp::Ordering;

use proto::domain::answer::Value;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Questionnaire {
    /// URI of the code system that the codes belong to.
    #[serde(default = "loinc")]
    pub(crate) code_system: String,
    pub(crate) items: Vec<Item>,
    pub(crate) scoring: Option<Scoring>,
    #[serde(default)]
    pub(crate) alerts: Vec<AlertRule>,
}

/// The code system of a definition that does not name one.
fn loinc() -> String {
    "http://loinc.org".to_owned()
}

/// One question.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Item {
    pub(crate) link_id: String,
    #[serde(rename = "type")]
    pub(crate) kind: ItemType,
    /// Least number, inclusive.
    pub(crate) min: Option<f64>,
    /// Greatest number, inclusive.
    pub(crate) max: Option<f64>,
    /// Most characters.
    pub(crate) max_length: Option<usize>,
    #[serde(default)]
    pub(crate) required: bool,
    /// The options of a choice.
    #[serde(default)]
    pub(crate) options: Vec<AnswerOption>,
    #[serde(default)]
    enable_when: Vec<Condition>,
    #[serde(default)]
    enable_behavior: EnableBehavior,
}

impl Item {
    /// Whether the item is enabled, given which conditions are met. An item without conditions always is.
    pub(crate) fn is_asked(&self, met: impl Fn(&Condition) -> bool) -> bool {
        let mut conditions = self.enable_when.iter();
        match self.enable_behavior {
            EnableBehavior::All => conditions.all(met),
            EnableBehavior::Any => self.enable_when.is_empty() || conditions.any(met),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ItemType {
    Integer,
    Decimal,
    Boolean,
    Text,
    /// Answered with an option's value.
    Choice,
}

impl ItemType {
    /// Whether it is answered with a whole number.
    pub(crate) fn is_whole(self) -> bool {
        matches!(self, Self::Integer | Self::Choice)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AnswerOption {
    pub(crate) value: i64,
    /// The option's code in the definition's code system.
    pub(crate) code: Option<String>,
}

/// How many of an item's conditions must be met.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EnableBehavior {
    #[default]
    All,
    Any,
}

/// A condition on the answer to one item.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Condition {
    pub(crate) link_id: String,
    operator: Operator,
    answer: Expected,
}

impl Condition {
    /// Whether an answer meets the condition. An answer of another type does not, and only numbers can be greater.
    pub(crate) fn is_met_by(&self, answer: &Value) -> bool {
        match (&self.answer, answer) {
            (Expected::Boolean(expected), Value::Boolean(answer)) => {
                self.operator == Operator::Equal && answer == expected
            }
            (Expected::Text(expected), Value::Text(answer)) => self.operator == Operator::Equal && answer == expected,
            (Expected::Number(expected), answer) => number(answer)
                .and_then(|answer| answer.partial_cmp(expected))
                .is_some_and(|ordering| self.operator.allows(ordering)),
            _ => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Operator {
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = ">")]
    Greater,
    #[serde(rename = ">=")]
    AtLeast,
}

impl Operator {
    fn allows(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Greater => ordering.is_gt(),
            Self::AtLeast => ordering.is_ge(),
        }
    }
}

/// The value that a condition compares with.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Expected {
    Boolean(bool),
    Number(f64),
    Text(String),
}

/// How the total is computed.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "method", rename_all = "lowercase")]
pub(crate) enum Scoring {
    /// The sum over these items, and the names of ranges of totals.
    Sum { items: Vec<String>, bands: Vec<Band> },
}

/// A range of totals, both ends included.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Band {
    pub(crate) id: String,
    pub(crate) min: i32,
    pub(crate) max: i32,
}

/// A condition that raises an alert for the nurses.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AlertRule {
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) condition: Condition,
    #[serde(default)]
    pub(crate) urgent: bool,
}

/// An answer as a number, if it is one.
pub(crate) fn number(answer: &Value) -> Option<f64> {
    match answer {
        #[expect(clippy::cast_precision_loss, reason = "the numbers of a definition are far below 2^53")]
        Value::Integer(number) => Some(*number as f64),
        Value::Decimal(number) => Some(*number),
        Value::Boolean(_) | Value::Text(_) | Value::Structure(()) | Value::Coding(_) => None,
    }
}
