//! Conversions of questionnaires to resources, and of reports to resources and back.

mod definition;
mod questionnaire;
mod response;
mod submission;

pub(super) use definition::Definition;
pub(super) use questionnaire::{QuestionnaireName, questionnaire};
pub(super) use response::{Filled, response};
pub(super) use submission::{Submission, read};
