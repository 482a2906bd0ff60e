use std::collections::{HashMap, HashSet};

use proto::domain::Answer;
use proto::domain::answer::Value;

use crate::questionnaire::{Condition, Item, Questionnaire};

/// A questionnaire with answers, which may be invalid. Answers are normalised: to an item that asks for a whole number,
/// a decimal without a fraction becomes an integer, and a code becomes the value of its option.
pub(crate) struct FilledIn<'a> {
    pub(crate) questionnaire: &'a Questionnaire,
    answers: HashMap<String, Answer>,
    /// The `link_id`s of the enabled items.
    enabled: HashSet<&'a str>,
}

impl<'a> FilledIn<'a> {
    /// Computes which items are enabled: the smallest set that the conditions allow. Items that enable each other in a
    /// cycle, and that nothing else enables, therefore stay disabled.
    pub(crate) fn new(questionnaire: &'a Questionnaire, mut answers: HashMap<String, Answer>) -> Self {
        for item in questionnaire.items.iter().filter(|item| item.kind.is_whole()) {
            let value = answers.get_mut(&item.link_id).and_then(|answer| answer.value.as_mut());
            if let Some(value) = value
                && let Some(whole) = whole(value).or_else(|| chosen(questionnaire, item, value))
            {
                *value = Value::Integer(whole);
            }
        }
        let mut filled_in = Self { questionnaire, answers, enabled: HashSet::new() };
        loop {
            let before = filled_in.enabled.len();
            for item in &questionnaire.items {
                // An item that becomes enabled never disables another, because no condition asks for an answer to be
                // absent. So the loop ends.
                if item.is_asked(|condition| filled_in.meets(condition)) {
                    filled_in.enabled.insert(&item.link_id);
                }
            }
            if filled_in.enabled.len() == before {
                return filled_in;
            }
        }
    }

    /// The `link_id`s of all answers, also of answers to unknown items.
    pub(crate) fn link_ids(&self) -> impl Iterator<Item = &String> {
        self.answers.keys()
    }

    /// The answers to store. Answers without a value are left out.
    pub(crate) fn into_answers(mut self) -> HashMap<String, Answer> {
        self.answers.retain(|_, answer| answer.value.is_some());
        self.answers
    }

    /// The answered items with their answers, in the questionnaire's order.
    pub(crate) fn answered(&self) -> impl Iterator<Item = (&'a Item, &Value)> {
        self.questionnaire.items.iter().filter_map(|item| Some((item, self.answer(item)?)))
    }

    pub(crate) fn answer(&self, item: &Item) -> Option<&Value> {
        self.answers.get(&item.link_id)?.value.as_ref()
    }

    /// Whether the item is enabled, given the other answers.
    pub(crate) fn is_enabled(&self, item: &Item) -> bool {
        self.enabled.contains(item.link_id.as_str())
    }

    /// Whether there is an answer that meets the condition. An answer to a disabled item does not count.
    pub(crate) fn meets(&self, condition: &Condition) -> bool {
        self.counted(&condition.link_id).is_some_and(|(_, answer)| condition.is_met_by(answer))
    }

    /// The item and its answer, if the item is enabled and answered.
    pub(crate) fn counted(&self, link_id: &str) -> Option<(&'a Item, &Value)> {
        self.answered().find(|(item, _)| item.link_id == link_id && self.is_enabled(item))
    }
}

/// The value of the option with this code, if there is one.
fn chosen(questionnaire: &Questionnaire, item: &Item, value: &Value) -> Option<i64> {
    let Value::Coding(coding) = value else { return None };
    let mut options = item.options.iter().filter(|_| coding.system == questionnaire.code_system);
    options.find(|option| option.code.as_ref() == Some(&coding.code)).map(|option| option.value)
}

/// A decimal without a fraction as an integer of 64 bits, if it fits. In JSON, 4 and 4.0 are the same number.
fn whole(value: &Value) -> Option<i64> {
    // 2^63, which a double holds exactly. It is the smallest number that is too large.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    match value {
        #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and lies within the limits")]
        Value::Decimal(number) if number.fract() == 0.0 && (-LIMIT..LIMIT).contains(number) => Some(*number as i64),
        _ => None,
    }
}
