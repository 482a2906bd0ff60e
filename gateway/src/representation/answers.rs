use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use proto::report::{Answer, answer};
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
    /// Reads the field `answers` of a body. Whether an answer is of its item's type is epro-svc's to say.
    pub(crate) fn take(fields: &mut Fields) -> Self {
        Self(fields.object("answers").into_iter().collect())
    }
}

impl From<Answers> for HashMap<String, Answer> {
    fn from(Answers(answers): Answers) -> Self {
        answers.into_iter().map(|(link_id, value)| (link_id, answer(value))).collect()
    }
}

impl From<HashMap<String, Answer>> for Answers {
    fn from(answers: HashMap<String, Answer>) -> Self {
        Self(answers.into_iter().map(|(link_id, answer)| (link_id, value(answer))).collect())
    }
}

fn answer(value: Value) -> Answer {
    let value = match value {
        Value::Null => None,
        Value::Bool(value) => Some(answer::Value::Boolean(value)),
        Value::Number(value) => {
            value.as_i64().map(answer::Value::Integer).or(value.as_f64().map(answer::Value::Decimal))
        }
        Value::String(value) => Some(answer::Value::Text(value)),
        Value::Array(_) | Value::Object(_) => Some(answer::Value::Structure(())),
    };
    Answer { value }
}

fn value(answer: Answer) -> Value {
    match answer.value {
        Some(answer::Value::Integer(value)) => value.into(),
        Some(answer::Value::Decimal(value)) => value.into(),
        Some(answer::Value::Boolean(value)) => value.into(),
        Some(answer::Value::Text(value)) => value.into(),
        None | Some(answer::Value::Structure(()) | answer::Value::Coding(_)) => Value::Null,
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
