use std::borrow::Cow;
use std::collections::HashMap;

use proto::report::{Answer, answer};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::extract::Fields;

/// The answers of a report, by `link_id`.
#[derive(Serialize)]
pub(crate) struct Answers(Map<String, Value>);

impl Answers {
    /// Reads the field `answers` of a body. Whether an answer is of its item's type is epro-svc's to say.
    pub(crate) fn take(fields: &mut Fields) -> HashMap<String, Answer> {
        let given = fields.object("answers");
        let count = given.len();
        let answers: HashMap<_, _> =
            given.into_iter().filter_map(|(link_id, value)| Some((link_id, answer(value)?))).collect();
        if answers.len() < count {
            // Which ones is not said: an unknown link_id is the sender's own words, and nobody here knows the known.
            fields.violation("/answers".to_owned(), "type");
        }
        answers
    }
}

impl From<HashMap<String, Answer>> for Answers {
    fn from(answers: HashMap<String, Answer>) -> Self {
        Self(answers.into_iter().map(|(link_id, answer)| (link_id, value(answer))).collect())
    }
}

fn answer(value: Value) -> Option<Answer> {
    let value = match value {
        Value::Bool(value) => answer::Value::Boolean(value),
        Value::Number(value) => match value.as_i64() {
            Some(value) => answer::Value::Integer(value),
            None => answer::Value::Decimal(value.as_f64()?),
        },
        Value::String(value) => answer::Value::Text(value),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(Answer { value: Some(value) })
}

fn value(answer: Answer) -> Value {
    match answer.value {
        Some(answer::Value::Integer(value)) => value.into(),
        Some(answer::Value::Decimal(value)) => value.into(),
        Some(answer::Value::Boolean(value)) => value.into(),
        Some(answer::Value::Text(value)) => value.into(),
        None => Value::Null,
    }
}

impl PartialSchema for Answers {
    fn schema() -> RefOr<Schema> {
        let types = SchemaType::from_iter([Type::Integer, Type::Number, Type::Boolean, Type::String]);
        let one = ObjectBuilder::new().schema_type(types).pattern(Some(r"^[^\u0000]*$")).description(Some(
            "Of the type that the questionnaire's item asks for; a choice is answered with its option's `value`.",
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
