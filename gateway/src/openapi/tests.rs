use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use sources::Sources;

mod sources;

/// What no route makes: the server does, its layers, or any call that fails without a reason.
const NO_ROUTES_OWN: [&str; 9] = [
    "bad-request",
    "cross-site",
    "head-too-large",
    "internal",
    "method-not-allowed",
    "not-acceptable",
    "timeout",
    "unavailable",
    "uri-too-long",
];

/// What the sources seem to let a handler answer with, and why it cannot be.
const CANNOT_BE: [(&str, &str); 5] = [
    // An amendment asks for the assignment of a report that is stored, and for no time of capture.
    ("amend_report", "assignment-not-found"),
    ("amend_report", "windows-pending"),
    // A method of ed25519-dalek has the name of one that looks a key up.
    ("create_session", "invalid-token"),
    ("refresh_session", "invalid-token"),
    // Patients list their own reports, of whatever site.
    ("list_reports", "site-not-found"),
];

fn document() -> Value {
    serde_json::to_value(crate::router::description()).unwrap()
}

/// Every operation with its method and path.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((format!("{} {path}", method.to_uppercase()), operation));
        }
    }
    operations
}

#[test]
fn the_description_is_openapi_3_1_and_has_every_route() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let names: BTreeSet<_> = operations(&document).into_iter().map(|(name, _)| name).collect();
    let expected = [
        "DELETE /v1/sessions/current",
        "DELETE /v1/sites/{id}/patients/{person_id}/lockout",
        "GET /livez",
        "GET /problems/{name}",
        "GET /readyz",
        "GET /v1/me/assignments",
        "GET /v1/me/sites",
        "GET /v1/projects/{id}",
        "GET /v1/projects/{id}/untold-reports",
        "GET /v1/questionnaires/{id}/versions/{version}",
        "GET /v1/reports",
        "GET /v1/reports/{id}",
        "GET /v1/reports/{id}/audit",
        "GET /v1/sites/{id}/notifications",
        "GET /v1/sites/{id}/reports",
        "GET /v1/sites/{id}/security-events",
        "GET /v1/studies/{id}",
        "GET /v1/studies/{id}/unnotified-reports",
        "POST /v1/activations",
        "POST /v1/notifications/{id}/retries",
        "POST /v1/reports",
        "POST /v1/reports/{id}/amendments",
        "POST /v1/reports/{id}/reviews",
        "POST /v1/sessions",
        "POST /v1/sessions/refresh",
    ];
    assert_eq!(names, expected.map(str::to_owned).into());
}

#[test]
fn every_route_says_what_it_does_and_how_it_fails() {
    let document = document();
    for (name, operation) in operations(&document) {
        assert!(operation["summary"].is_string(), "{name} has no summary");
        let statuses = operation["responses"].as_object().unwrap();
        assert!(statuses.contains_key("405") && statuses.contains_key("431"), "{name}");
        assert!(operation.get("x-problems").is_none(), "{name} keeps its list of problems");
        let is_open = !operation["security"].is_array();
        assert!(is_open || statuses.contains_key("401") && statuses.contains_key("403"), "{name}");
    }
}

/// The names of the problems that an operation lists.
fn problems_of(operation: &Value) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for (status, response) in operation["responses"].as_object().unwrap() {
        let examples = response["content"]["application/problem+json"]["examples"].as_object();
        for (problem, example) in examples.into_iter().flatten() {
            assert_eq!(example["value"]["status"].to_string(), *status, "{problem}");
            names.insert(problem.as_str());
        }
    }
    names
}

#[test]
fn former_paths_are_deprecated_and_no_others() {
    let document = document();
    for (name, operation) in operations(&document) {
        let deprecated = operation["deprecated"].as_bool().unwrap_or_default();
        assert_eq!(deprecated, name.starts_with("GET /v1/projects/"), "{name}");
    }
}

#[test]
fn every_problem_type_is_some_routes() {
    let document = document();
    let mut shown: BTreeSet<_> =
        operations(&document).into_iter().flat_map(|(_, operation)| problems_of(operation)).collect();
    // Only FHIR's interactions answer with it, which are not described here.
    shown.insert("submission-key");
    let all: BTreeSet<_> = ProblemType::all().map(|problem_type| problem_type.name).collect();
    assert_eq!(shown, all);
}

#[test]
fn a_route_lists_the_problems_that_its_code_and_its_services_can_make_and_no_other() {
    let (document, sources) = (document(), Sources::read());
    let mut wrong = Vec::new();
    for (name, operation) in operations(&document) {
        // A former path has none, and its list from the path that has replaced it.
        let Some(handler) = operation["operationId"].as_str() else { continue };
        let mut possible = sources.problems_of_route(handler);
        possible.retain(|problem| !NO_ROUTES_OWN.contains(problem) && !CANNOT_BE.contains(&(handler, *problem)));
        let mut listed = problems_of(operation);
        listed.retain(|problem| !NO_ROUTES_OWN.contains(problem));
        wrong.extend(possible.difference(&listed).map(|problem| format!("{name} does not list {problem}")));
        wrong.extend(listed.difference(&possible).map(|problem| format!("{name} cannot answer with {problem}")));
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_problem_type_has_one_name() {
    let names: BTreeSet<_> = ProblemType::all().map(|problem_type| problem_type.name).collect();
    assert_eq!(names.len(), ProblemType::all().count());
}

#[test]
fn a_body_may_have_no_other_fields_than_those_listed() {
    let document = document();
    for schema in ["Activation", "Credentials", "Continuation", "Submission", "Amendment", "Verdict"] {
        assert_eq!(document["components"]["schemas"][schema]["additionalProperties"], false, "{schema}");
    }
}
