//! What the API's description lists that each operation may answer with.

use std::collections::BTreeSet;

use anyhow::ensure;
use reqwest::Method;
use serde_json::Value;

use super::Response;

/// The operations of an `OpenAPI` document with the problems that each of them lists.
#[derive(Debug)]
pub struct Operations(Vec<Operation>);

#[derive(Debug)]
struct Operation {
    method: String,
    /// With its parameters as `{id}`.
    path: String,
    /// The problems' types.
    problems: BTreeSet<String>,
}

impl Operations {
    /// Those of a document.
    pub fn of(document: &Value) -> Self {
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let responses = operation["responses"].as_object().into_iter().flatten();
                let examples =
                    responses.filter_map(|(_, of)| of["content"]["application/problem+json"]["examples"].as_object());
                let types = examples.flatten().filter_map(|(_, example)| example["value"]["type"].as_str());
                let problems = types.map(str::to_owned).collect();
                operations.push(Operation { method: method.to_uppercase(), path: path.clone(), problems });
            }
        }
        Self(operations)
    }

    /// # Errors
    /// When the answer is a problem that its operation does not list.
    pub(super) fn check(&self, method: &Method, path: &str, answer: &Response) -> anyhow::Result<()> {
        if answer.header("content-type") != Some("application/problem+json") {
            return Ok(());
        }
        let of_request = |operation: &&Operation| operation.method == method.as_str() && fits(&operation.path, path);
        if let Some(operation) = self.0.iter().find(of_request) {
            let problem = answer.text("type")?;
            ensure!(
                operation.problems.contains(&problem),
                "{method} {} answers with {problem}, which its description does not list",
                operation.path
            );
        }
        Ok(())
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (mut parts, mut values) = (template.split('/'), path.split('/'));
    loop {
        match (parts.next(), values.next()) {
            (None, None) => return true,
            (Some(part), Some(value)) if part == value || (part.starts_with('{') && !value.is_empty()) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue};
    use serde_json::json;

    use super::*;

    fn check(method: &Method, path: &str, problem: &str) -> anyhow::Result<()> {
        let example = json!({"value": {"type": "/problems/report-not-found"}});
        let examples = json!({"application/problem+json": {"examples": {"report-not-found": example}}});
        let operation = json!({"responses": {"404": {"content": examples}}});
        let document = json!({"paths": {"/v1/reports/{id}": {"get": operation}}});
        let headers =
            HeaderMap::from_iter([("content-type".parse()?, HeaderValue::from_static("application/problem+json"))]);
        let body = json!({"type": problem}).to_string().into_bytes();
        Operations::of(&document).check(method, path, &Response { status: 404, headers, body })
    }

    #[test]
    fn a_problem_that_an_operation_does_not_list_is_an_error() {
        assert!(check(&Method::GET, "/v1/reports/1", "/problems/report-not-found").is_ok());
        let error = check(&Method::GET, "/v1/reports/1", "/problems/site-not-found").unwrap_err().to_string();
        assert!(error.starts_with("GET /v1/reports/{id} answers with /problems/site-not-found"), "{error}");
    }

    #[test]
    fn what_is_no_operation_may_answer_with_anything() {
        for (method, path) in [(Method::PUT, "/v1/reports/1"), (Method::GET, "/v1/reports/"), (Method::GET, "/v2")] {
            assert!(check(&method, path, "/problems/not-found").is_ok(), "{method} {path}");
        }
    }
}
