use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::problem::{FieldError, Problem};
use crate::representation::TraceReference;

/// Our own code system of problem types and of broken rules. The codes are the same as under `/v1`.
const PROBLEMS: &str = "https://example.org/fhir/CodeSystem/problems";

/// The outcome of a request: issues that say what is wrong and where, and never repeat a value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperationOutcome {
    resource_type: &'static str,
    issue: Vec<Issue>,
}

#[derive(Debug, Serialize)]
struct Issue {
    severity: &'static str,
    code: &'static str,
    details: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnostics: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expression: Vec<String>,
}

impl OperationOutcome {
    /// The outcome of an error: the problem with its trace, then every broken rule with its place.
    pub(crate) fn of(problem: &Problem, trace: &TraceReference) -> Self {
        let problem_type = problem.problem_type;
        let first = Issue {
            severity: if problem_type.status == StatusCode::INTERNAL_SERVER_ERROR { "fatal" } else { "error" },
            code: issue_type(problem_type.status, problem_type.name),
            details: details(problem_type.name, problem_type.detail),
            diagnostics: Some(trace.in_words()),
            expression: vec![],
        };
        Self::new(std::iter::once(first).chain(problem.errors.iter().map(Issue::of)).collect())
    }

    /// The outcome of a successful request.
    pub(super) fn success(text: &str, trace: &TraceReference) -> Self {
        Self::new(vec![Issue {
            severity: "information",
            code: "informational",
            details: json!({"text": text}),
            diagnostics: Some(trace.in_words()),
            expression: vec![],
        }])
    }

    fn new(issue: Vec<Issue>) -> Self {
        Self { resource_type: "OperationOutcome", issue }
    }
}

impl Issue {
    fn of(error: &FieldError) -> Self {
        let text = match (&error.link_id, error.code.as_str()) {
            (Some(link_id), rule) => format!("{rule}: item {link_id}"),
            (None, rule) => rule.to_owned(),
        };
        Self {
            severity: "error",
            code: rule_type(&error.code),
            details: details(&error.code, &text),
            diagnostics: None,
            expression: vec![expression(&error.pointer)],
        }
    }
}

fn details(code: &str, text: &str) -> Value {
    json!({"coding": [{"system": PROBLEMS, "code": code}], "text": text})
}

/// R4's code for a problem (value set issue-type).
fn issue_type(status: StatusCode, name: &str) -> &'static str {
    match (status, name) {
        (_, "idempotency-key" | "submission-key") => "required",
        (_, "timeout" | "slow-body") => "timeout",
        (_, "report-invalid") => "business-rule",
        (_, "idempotency-key-reused") => "duplicate",
        (StatusCode::UNAUTHORIZED, _) => "login",
        (StatusCode::FORBIDDEN, _) => "forbidden",
        (StatusCode::NOT_FOUND, _) => "not-found",
        (StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_ACCEPTABLE | StatusCode::UNSUPPORTED_MEDIA_TYPE, _) => {
            "not-supported"
        }
        (StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED, _) => "conflict",
        (StatusCode::PAYLOAD_TOO_LARGE | StatusCode::URI_TOO_LONG | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, _) => {
            "too-long"
        }
        (StatusCode::UNPROCESSABLE_ENTITY, _) => "invalid",
        (StatusCode::TOO_MANY_REQUESTS, _) => "throttled",
        (StatusCode::SERVICE_UNAVAILABLE, _) => "transient",
        (status, _) if status.is_server_error() => "exception",
        _ => "invalid",
    }
}

/// R4's code for a broken rule.
fn rule_type(rule: &str) -> &'static str {
    match rule {
        "required" => "required",
        "structure" | "unknown-field" | "type" | "one-value" | "duplicate-item" => "structure",
        "code" | "enum" => "code-invalid",
        "range" | "length" | "null-character" | "captured-at-format" | "based-on" => "value",
        "unknown-item" | "questionnaire" => "not-found",
        _ => "business-rule",
    }
}

/// A JSON pointer into a `QuestionnaireResponse` as the simple `FHIRPath` that an issue may have: names and indices.
fn expression(pointer: &str) -> String {
    let mut path = "QuestionnaireResponse".to_owned();
    for part in pointer.split('/').skip(1) {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            path.extend(["[", part, "]"]);
        } else {
            // FHIRPath leaves out the type in the name of a choice of types: `value` for `valueString`.
            let is_choice = part.strip_prefix("value").is_some_and(|rest| rest.starts_with(char::is_uppercase));
            path.push('.');
            path.push_str(if is_choice { "value" } else { part });
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::ProblemType;

    #[test]
    fn a_pointer_is_a_path_of_names_and_indices() {
        for (pointer, path) in [
            ("", "QuestionnaireResponse"),
            ("/authored", "QuestionnaireResponse.authored"),
            ("/item/3/answer/0/valueCoding/code", "QuestionnaireResponse.item[3].answer[0].value.code"),
        ] {
            assert_eq!(expression(pointer), path);
        }
    }

    #[test]
    fn every_problem_has_a_word_of_r4() {
        // http://hl7.org/fhir/R4/valueset-issue-type.html
        let words = [
            "invalid",
            "structure",
            "required",
            "value",
            "invariant",
            "security",
            "login",
            "unknown",
            "expired",
            "forbidden",
            "suppressed",
            "processing",
            "not-supported",
            "duplicate",
            "multiple-matches",
            "not-found",
            "deleted",
            "too-long",
            "code-invalid",
            "extension",
            "too-costly",
            "business-rule",
            "conflict",
            "transient",
            "lock-error",
            "no-store",
            "exception",
            "timeout",
            "incomplete",
            "throttled",
            "informational",
        ];
        for problem_type in ProblemType::all() {
            assert!(words.contains(&issue_type(problem_type.status, problem_type.name)), "{}", problem_type.name);
        }
        for rule in ["required", "structure", "code", "range", "unknown-item", "attested"] {
            assert!(words.contains(&rule_type(rule)), "{rule}");
        }
    }
}
