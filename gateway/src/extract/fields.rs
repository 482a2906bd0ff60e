use std::collections::HashSet;

use serde_json::{Map, Value};
use service_kit::near_miss;

use crate::problem::{FieldError, Problem};

/// Reads an object's fields one by one and reports everything that is wrong with them at once.
pub(crate) struct Fields {
    object: Map<String, Value>,
    /// The names of the fields that were read.
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Fields {
    pub(crate) fn of(object: Map<String, Value>) -> Self {
        Self { object, known: Vec::new(), errors: Vec::new() }
    }

    pub(crate) fn string(&mut self, name: &'static str) -> String {
        self.take(name, |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    pub(crate) fn boolean(&mut self, name: &'static str) -> bool {
        self.take(name, |value| value.as_bool())
    }

    pub(crate) fn object(&mut self, name: &'static str) -> Map<String, Value> {
        self.take(name, |value| match value {
            Value::Object(object) => Some(object),
            _ => None,
        })
    }

    /// Reads a string and converts it with `named`. If `named` returns none, [`Fields::finish`] fails.
    pub(crate) fn one_of<T>(&mut self, name: &'static str, named: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let wrong = self.errors.len();
        let text = self.string(name);
        let value = named(&text);
        if value.is_none() && self.errors.len() == wrong {
            self.errors.push(FieldError::new(format!("/{name}"), "enum"));
        }
        value
    }

    /// Fails if any field was wrong, or if a field is left that was not read. The name of an unknown field is the
    /// sender's own text, so the error does not repeat it, unless it is nearly the name of a known field (at most one
    /// such name for each known field). The error lists the known fields.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        let mut meant = HashSet::new();
        let (slips, others): (Vec<_>, Vec<_>) = self
            .object
            .keys()
            .partition(|name| near_miss(name, self.known.iter().copied()).is_some_and(|known| meant.insert(known)));
        let slips = slips.into_iter().map(|name| format!("/{name}"));
        let unknown = slips.chain((!others.is_empty()).then(String::new));
        self.errors.extend(unknown.map(|pointer| FieldError::unknown_field(pointer, self.known.clone())));
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid_body(self.errors)) }
    }

    fn take<T: Default>(&mut self, name: &'static str, read: impl FnOnce(Value) -> Option<T>) -> T {
        self.known.push(name);
        let code = match self.object.remove(name).map(read) {
            Some(Some(value)) => return value,
            Some(None) => "type",
            None => "required",
        };
        self.errors.push(FieldError::new(format!("/{name}"), code));
        T::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Reads two fields and gives what is wrong.
    fn errors(body: Value) -> Vec<FieldError> {
        let Value::Object(object) = body else { panic!("no object") };
        let mut fields = Fields::of(object);
        fields.boolean("attested");
        fields.string("captured_at");
        fields.finish().err().map(|problem| problem.errors().to_vec()).unwrap_or_default()
    }

    fn unknown(pointer: &str) -> FieldError {
        FieldError::unknown_field(pointer.to_owned(), vec!["attested", "captured_at"])
    }

    #[test]
    fn an_unknown_field_is_not_repeated_and_the_known_are_listed() {
        let body = json!({"attested": true, "captured_at": "", "mood": 1, "zebra": 2});
        assert_eq!(errors(body), [unknown("")]);
    }

    #[test]
    fn a_slip_in_the_name_of_a_field_is_named_once() {
        let body = json!({"attested": true, "captured_at": "", "capturedAt": 1, "captured-at": 1, "zebra": 2});
        assert_eq!(errors(body), [unknown("/captured-at"), unknown("")]);
        let body = json!({"atested": true, "captured_at": ""});
        assert_eq!(errors(body), [FieldError::new("/attested".to_owned(), "required"), unknown("/atested")]);
    }
}
