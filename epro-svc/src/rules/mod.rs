//! Validates reports. The rules are pure functions, one in each file, and all broken ones are reported.
//!
//! To add a rule, write `rules/<name>.rs` and add its line to [`ABOUT_CAPTURE`] or [`ABOUT_ANSWERS`].

mod answer_type;
mod attested;
mod captured_at;
mod code;
mod enabled;
mod known_items;
mod questionnaire;
mod range;
mod reason;
mod required;
mod retired;
mod text;
mod window;

use service_kit::error::Violation;

use crate::capture::Capture;
use crate::filled_in::FilledIn;
use crate::questionnaire::Item;

/// The rules about a report's capture, in the order in which they are reported.
const ABOUT_CAPTURE: [fn(&Capture<'_>) -> Vec<Broken>; 5] =
    [questionnaire::check, attested::check, captured_at::check, window::check, retired::check];

/// The rules about a report's answers, in the order in which they are reported.
const ABOUT_ANSWERS: [fn(&FilledIn<'_>) -> Vec<Broken>; 7] =
    [known_items::check, answer_type::check, range::check, code::check, text::check, required::check, enabled::check];

/// Every rule that a new report breaks.
pub(crate) fn broken_by_submission(capture: &Capture<'_>, filled_in: &FilledIn<'_>) -> Vec<Broken> {
    ABOUT_CAPTURE.iter().flat_map(|rule| rule(capture)).chain(broken_by_answers(filled_in)).collect()
}

/// Every rule that a new revision breaks. The capture was checked with the first revision.
pub(crate) fn broken_by_amendment(filled_in: &FilledIn<'_>, reason: &str) -> Vec<Broken> {
    broken_by_answers(filled_in).chain(reason::check(reason)).collect()
}

fn broken_by_answers(filled_in: &FilledIn<'_>) -> impl Iterator<Item = Broken> {
    ABOUT_ANSWERS.iter().flat_map(|rule| rule(filled_in))
}

/// A rule that a report breaks, and where. It never contains the value.
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
        Self::answer_to(&item.link_id, rule)
    }

    fn answer_to(link_id: &str, rule: &'static str) -> Self {
        // RFC 6901, section 3
        let escaped = link_id.replace('~', "~0").replace('/', "~1");
        Self { rule, pointer: format!("/answers/{escaped}") }
    }

    /// The rule's id.
    pub(crate) fn rule(&self) -> &'static str {
        self.rule
    }
}

impl From<Broken> for Violation {
    fn from(broken: Broken) -> Self {
        Self { pointer: broken.pointer, code: broken.rule.to_owned() }
    }
}

#[cfg(test)]
mod tests;
