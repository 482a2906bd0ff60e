use serde::Deserialize;

/// The part of a questionnaire version's definition that the rules read.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Questionnaire {
    pub(crate) items: Vec<Item>,
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
    pub(crate) enable_when: Option<EnableWhen>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ItemType {
    Integer,
    Decimal,
    Boolean,
    Text,
}

/// An item is asked only if another one has this answer.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct EnableWhen {
    pub(crate) link_id: String,
    pub(crate) equals: bool,
}
