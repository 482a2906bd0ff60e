//! What makes a report valid: pure functions, one rule a file, every broken one reported.
//!
//! To add a rule, write `rules/<name>.rs` and add its line to [`RULES`].

mod answer_type;
mod attested;
mod captured_at;
mod enabled;
mod known_items;
mod questionnaire;
mod range;
mod required;
mod text;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use proto::Violation;
use proto::report::Answer;
use proto::report::answer::Value;
use telemetry::BrokenRule;

use questionnaire::Item;
pub(crate) use questionnaire::Questionnaire;

/// The rules in the order they are reported.
const RULES: [fn(&Submission<'_>) -> Vec<Broken>; 8] = [
    attested::check,
    captured_at::check,
    known_items::check,
    answer_type::check,
    range::check,
    text::check,
    required::check,
    enabled::check,
];

/// Everything a rule may look at.
pub(crate) struct Submission<'a> {
    pub(crate) questionnaire: &'a Questionnaire,
    pub(crate) enrolled_at: DateTime<Utc>,
    pub(crate) now: DateTime<Utc>,
    /// As sent: RFC 3339 with the phone's offset, if all is well.
    pub(crate) captured_at: &'a str,
    pub(crate) attested: bool,
    pub(crate) answers: &'a HashMap<String, Answer>,
}

impl Submission<'_> {
    /// The answered items with their answers, in the questionnaire's order.
    fn answered(&self) -> impl Iterator<Item = (&Item, &Value)> {
        self.questionnaire.items.iter().filter_map(|item| Some((item, self.answer(&item.link_id)?)))
    }

    fn answer(&self, link_id: &str) -> Option<&Value> {
        self.answers.get(link_id)?.value.as_ref()
    }

    /// Whether the item is to be answered, given the other answers.
    fn is_enabled(&self, item: &Item) -> bool {
        item.enable_when.as_ref().is_none_or(|condition| {
            self.answer(&condition.link_id).is_some_and(|answer| *answer == Value::Boolean(condition.equals))
        })
    }
}

/// A rule a report breaks, and where. It never holds the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    rule: &'static str,
    pointer: String,
}

impl Broken {
    fn at(pointer: &str, rule: &'static str) -> Self {
        Self { rule, pointer: pointer.to_owned() }
    }

    fn answer(item: &Item, rule: &'static str) -> Self {
        // RFC 6901, section 3
        let escaped = item.link_id.replace('~', "~0").replace('/', "~1");
        Self { rule, pointer: format!("/answers/{escaped}") }
    }
}

impl BrokenRule for Broken {
    fn rule(&self) -> &'static str {
        self.rule
    }
}

impl From<Broken> for Violation {
    fn from(broken: Broken) -> Self {
        Self { pointer: broken.pointer, code: broken.rule.to_owned() }
    }
}

/// Every rule the submission breaks.
pub(crate) fn broken_by(submission: &Submission<'_>) -> Vec<Broken> {
    RULES.iter().flat_map(|rule| rule(submission)).collect()
}

#[cfg(test)]
mod tests;
