use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use proto::domain::Answer;
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::extract::Fields;

/// The answers of a report, by `link_id`, in the same order each time.
#[derive(Serialize)]
pub(crate) struct Answers(BTreeMap<String, Value>);

impl Answers {
    /// Reads the field `answers` of a body. epro-svc checks the type of each answer.
    pub(crate) fn take(fields: &mut Fields) -> Self {
        Self(fields.object("answers").into_iter().collect())
    }
}

#[expect(clippy::implicit_hasher, reason = "the maps of generated messages have the default hasher")]
impl From<Answers> for HashMap<String, Answer> {
    fn from(Answers(answers): Answers) -> Self {
        answers.into_iter().map(|(link_id, value)| (link_id, value.into())).collect()
    }
}

impl From<HashMap<String, Answer>> for Answers {
    fn from(answers: HashMap<String, Answer>) -> Self {
        Self(answers.into_iter().map(|(link_id, answer)| (link_id, answer.into())).collect())
    }
}

impl PartialSchema for Answers {
    fn schema() -> RefOr<Schema> {
        let types = SchemaType::from_iter([Type::Integer, Type::Number, Type::Boolean, Type::String, Type::Null]);
        let one = ObjectBuilder::new().schema_type(types).pattern(Some(r"^[^\u0000]*$")).description(Some(
            "Of the type that the questionnaire's item asks for; a choice is answered with its option's `value`. \
             Null is no answer.",
        ));
        ObjectBuilder::new()
            .description(Some("The answers by `link_id`."))
            .additional_properties(Some(AdditionalProperties::RefOr(one.into())))
            .examples([serde_json::json!({"pain": 3, "rescue": true, "rescue_doses": 1, "temperature": 36.9})])
            .into()
    }
}

impl ToSchema for Answers {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Answers")
    }
}
