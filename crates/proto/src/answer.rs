//! An answer as JSON, as phones send it and Postgres stores it.

use serde_json::Value as Json;

use crate::domain::Answer;
use crate::domain::answer::Value;

/// A number that is written without a fraction and fits into 64 bits becomes an integer, any other number a decimal. An
/// array or object becomes [`Value::Structure`], which the rules refuse.
impl From<Json> for Answer {
    fn from(json: Json) -> Self {
        let value = match json {
            Json::Null => None,
            Json::Bool(value) => Some(Value::Boolean(value)),
            Json::Number(value) => value.as_i64().map(Value::Integer).or(value.as_f64().map(Value::Decimal)),
            Json::String(value) => Some(Value::Text(value)),
            Json::Array(_) | Json::Object(_) => Some(Value::Structure(())),
        };
        Self { value }
    }
}

/// A [`Value::Coding`] has no JSON form and becomes null: the rules have replaced it with the value of its option
/// before an answer is stored.
impl From<Answer> for Json {
    fn from(answer: Answer) -> Self {
        match answer.value {
            Some(Value::Integer(value)) => value.into(),
            Some(Value::Decimal(value)) => value.into(),
            Some(Value::Boolean(value)) => value.into(),
            Some(Value::Text(value)) => value.into(),
            None | Some(Value::Structure(()) | Value::Coding(_)) => Self::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plain_value_comes_back_as_it_was() {
        for value in [json!(null), json!(true), json!(4), json!(-9_007_199_254_740_993_i64), json!(36.9), json!("a")] {
            assert_eq!(Json::from(Answer::from(value.clone())), value);
        }
        assert_eq!(Answer::from(json!({})).value, Some(Value::Structure(())));
    }
}
