use proto::Violation;
use serde_json::{Map, Value};

use crate::problem::Problem;

/// Reads an object's fields one by one and reports everything that is wrong with them at once.
pub(crate) struct Fields {
    object: Map<String, Value>,
    violations: Vec<Violation>,
}

impl Fields {
    pub(crate) fn of(object: Map<String, Value>) -> Self {
        Self { object, violations: Vec::new() }
    }

    pub(crate) fn string(&mut self, name: &str) -> String {
        self.take(name, |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    pub(crate) fn boolean(&mut self, name: &str) -> bool {
        self.take(name, |value| value.as_bool())
    }

    pub(crate) fn object(&mut self, name: &str) -> Map<String, Value> {
        self.take(name, |value| match value {
            Value::Object(object) => Some(object),
            _ => None,
        })
    }

    /// A string that `named` knows; if it does not, [`Fields::finish`] fails.
    pub(crate) fn one_of<T>(&mut self, name: &str, named: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let broken = self.violations.len();
        let text = self.string(name);
        let value = named(&text);
        if value.is_none() && self.violations.len() == broken {
            self.violation(format!("/{name}"), "enum");
        }
        value
    }

    /// Notes something that the caller has found wrong.
    pub(crate) fn violation(&mut self, pointer: String, code: &str) {
        self.violations.push(Violation { pointer, code: code.to_owned() });
    }

    /// Fails if anything was wrong, or something is left that nobody has asked for. The names of such
    /// fields are the sender's own words, so they are not repeated.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        if !self.object.is_empty() {
            self.violation(String::new(), "unknown-field");
        }
        if self.violations.is_empty() { Ok(()) } else { Err(Problem::invalid_body(self.violations)) }
    }

    fn take<T: Default>(&mut self, name: &str, read: impl FnOnce(Value) -> Option<T>) -> T {
        let code = match self.object.remove(name).map(read) {
            Some(Some(value)) => return value,
            Some(None) => "type",
            None => "required",
        };
        self.violation(format!("/{name}"), code);
        T::default()
    }
}
