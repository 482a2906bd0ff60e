use std::collections::{HashMap, HashSet};

use proto::report::Answer;
use proto::report::answer::Value;

use crate::questionnaire::{Condition, Item, Questionnaire};

/// A questionnaire with answers, whether they are valid or not.
pub(crate) struct FilledIn<'a> {
    pub(crate) questionnaire: &'a Questionnaire,
    answers: &'a HashMap<String, Answer>,
    /// The `link_id`s of the items that are to be asked.
    enabled: HashSet<&'a str>,
}

impl<'a> FilledIn<'a> {
    /// Finds out which items are enabled: those that must be because others are, and no more. Items that
    /// enable each other in a circle, with nothing outside it, therefore stay disabled.
    pub(crate) fn new(questionnaire: &'a Questionnaire, answers: &'a HashMap<String, Answer>) -> Self {
        let mut filled_in = Self { questionnaire, answers, enabled: HashSet::new() };
        loop {
            let before = filled_in.enabled.len();
            for item in &questionnaire.items {
                // One more enabled item never disables another: no condition asks for an answer to be absent.
                if item.is_asked(|condition| filled_in.meets(condition)) {
                    filled_in.enabled.insert(&item.link_id);
                }
            }
            if filled_in.enabled.len() == before {
                return filled_in;
            }
        }
    }

    /// What the answers were given to, known items or not.
    pub(crate) fn link_ids(&self) -> impl Iterator<Item = &'a String> {
        self.answers.keys()
    }

    /// The answered items with their answers, in the questionnaire's order.
    pub(crate) fn answered(&self) -> impl Iterator<Item = (&'a Item, &'a Value)> {
        self.questionnaire.items.iter().filter_map(|item| Some((item, self.answer(item)?)))
    }

    pub(crate) fn answer(&self, item: &Item) -> Option<&'a Value> {
        self.answers.get(&item.link_id)?.value.as_ref()
    }

    /// Whether the item is to be answered, given the other answers.
    pub(crate) fn is_enabled(&self, item: &Item) -> bool {
        self.enabled.contains(item.link_id.as_str())
    }

    /// Whether there is an answer that meets the condition. One to a disabled item counts for nothing.
    pub(crate) fn meets(&self, condition: &Condition) -> bool {
        self.counted(&condition.link_id).is_some_and(|(_, answer)| condition.is_met_by(answer))
    }

    /// The item and its answer, if it was to be answered and was.
    pub(crate) fn counted(&self, link_id: &str) -> Option<(&'a Item, &'a Value)> {
        self.answered().find(|(item, _)| item.link_id == link_id && self.is_enabled(item))
    }
}
