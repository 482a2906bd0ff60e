use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::router;

fn document() -> Value {
    serde_json::to_value(complete(router::api().into_openapi())).unwrap()
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
        "GET /v1/studies/{id}/untold-reports",
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
    let mut shown = BTreeSet::new();
    for (name, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let examples = response["content"]["application/problem+json"]["examples"].as_object();
            for (problem, example) in examples.into_iter().flatten() {
                assert_eq!(example["value"]["status"].to_string(), *status, "{problem} of {name}");
                shown.insert(problem.clone());
            }
        }
    }
    // The server itself answers the first. Only FHIR's interactions answer the second, and they are not described here.
    shown.extend(["bad-request", "submission-key"].map(str::to_owned));
    let all: BTreeSet<_> = ProblemType::all().map(|problem_type| problem_type.name.to_owned()).collect();
    assert_eq!(shown, all);
}

#[test]
fn every_problem_a_route_names_is_in_the_table() {
    let document = serde_json::to_value(router::api().into_openapi()).unwrap();
    for (name, operation) in operations(&document) {
        for problem in operation["x-problems"].as_array().into_iter().flatten() {
            let problem = problem.as_str().unwrap();
            assert!(ProblemType::named(problem).is_some(), "{problem} of {name}");
        }
    }
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
