//! The parts of FHIR R4's types that the API shows or accepts, as serde reads and writes them.
//!
//! A crate with all of R4 takes longer to compile than the rest of the project (docs/adr/0041). HL7's own validator
//! checks these types: `cargo xtask fhir-validate`. Elements of a resource that are not listed here are refused.
//! Extensions are ignored, and modifier extensions are refused, as R4 (section 2.4.0.3) requires.

mod bundle;
mod datatype;
mod questionnaire;
mod questionnaire_response;

pub(super) use bundle::{Bundle, Entry, Link};
pub(super) use datatype::{Coding, Extension, Identifier, Reference, Signature};
pub(super) use questionnaire::{AnswerOption, EnableWhen, Item, Questionnaire};
pub(super) use questionnaire_response::{Answer, Answered, QuestionnaireResponse};
