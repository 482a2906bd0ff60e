//! Every error is an `OperationOutcome` and repeats nothing of the request.

use super::*;

/// A word that is in every value of the requests.
const SENT: &str = "zebra";

/// A request: method, path, bearer, media type and body; and the status and the problem type of its answer.
type Case<'a> = (&'a str, &'a str, &'a str, &'a str, &'a [u8], u16, &'a str);

/// Checks that each request is refused with an outcome that repeats nothing, and that nothing is stored.
async fn refuse(stack: &Stack, cases: &[Case<'_>]) -> anyhow::Result<()> {
    let client = stack.client();
    for (method, path, bearer, media_type, body, status, code) in cases {
        let authorization = [("authorization", *bearer)];
        let headers = [("content-type", *media_type), ("idempotency-key", SENT)];
        let headers = if bearer.is_empty() { headers.to_vec() } else { [&headers[..], &authorization].concat() };
        let answer = client.raw(method, path, &headers, *body).await?;
        let body = outcome(&answer, *status, code).with_context(|| format!("{method} {path}"))?;
        assert!(!body.to_string().contains(SENT), "{method} {path}: {body}");
    }
    assert_eq!(rows(stack).await?.reports, 0);
    Ok(())
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_with_an_outcome() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let patient = format!("Bearer {}", stack.client().login(PATIENT.login, PATIENT.pin).await?.0);
    let good = diary(PATIENT.id, PATIENT.assignment).to_string();
    let texts = [
        good.replacen('{', "{\"id\":\"zebra\",\"id\":\"zebra\",", 1),
        "[".repeat(10_000),
        good.replace("36.9", "NaN"),
        good.replace("36.9", "1e999"),
        "[\"zebra\"]".to_owned(),
        "{} {}".to_owned(),
        "{".to_owned(),
        String::new(),
    ];
    let broken: [&[u8]; 2] = [b"{\"id\":\"\xff\"}", b"\xef\xbb\xbf{}"];
    let malformed = texts.iter().map(String::as_bytes).chain(broken);
    let post = |media_type: &'static str, body, status, code| {
        ("POST", RESPONSES, patient.as_str(), media_type, body, status, code)
    };
    let mut cases: Vec<Case<'_>> = malformed.map(|body| post(MEDIA_TYPE, body, 400, "malformed-json")).collect();
    let long = format!("{{\"id\":\"{}\"}}", SENT.repeat(14_000));
    let (good, other) = (good.as_bytes(), "application/fhir+json; fhirVersion=5.0");
    cases.extend([
        post(MEDIA_TYPE, b"{\"resourceType\":\"zebra\"}", 422, "invalid-body"),
        post(MEDIA_TYPE, long.as_bytes(), 413, "too-large"),
        post("application/fhir+xml", good, 415, "unsupported-media-type"),
        post(other, good, 415, "unsupported-media-type"),
    ]);
    refuse(&stack, &cases).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn every_class_of_error_is_an_operation_outcome() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = format!("Bearer {}", client.login(PATIENT.login, PATIENT.pin).await?.0);
    let nurse = format!("Bearer {}", client.login(NURSE.login, NURSE.pin).await?.0);
    let good = diary(PATIENT.id, PATIENT.assignment).to_string();
    let good = good.as_bytes();
    let unknown = format!("/fhir/QuestionnaireResponse/{}", PATIENT.phq9);
    let (patient, nurse, anybody, json) = (patient.as_str(), nurse.as_str(), "", MEDIA_TYPE);
    let get = |path: &'static str, bearer, status, code| ("GET", path, bearer, json, &b""[..], status, code);
    refuse(
        &stack,
        &[
            ("POST", RESPONSES, nurse, json, good, 403, "wrong-role"),
            ("POST", RESPONSES, anybody, json, good, 401, "unauthenticated"),
            ("POST", RESPONSES, "Bearer zebra", json, good, 401, "invalid-token"),
            ("DELETE", RESPONSES, patient, json, b"", 405, "method-not-allowed"),
            ("PUT", &unknown, patient, json, good, 405, "method-not-allowed"),
            ("GET", &unknown, patient, json, b"", 404, "report-not-found"),
            get("/fhir/QuestionnaireResponse/zebra", patient, 400, "malformed-id"),
            get("/fhir/Questionnaire/zebra-1.0", patient, 404, "questionnaire-not-found"),
            get("/fhir/Questionnaire/zebra", patient, 404, "questionnaire-not-found"),
            get("/fhir/Questionnaire/zebra%00-1.0", patient, 404, "questionnaire-not-found"),
            get("/fhir/Questionnaire/phq-9-1.0", anybody, 401, "unauthenticated"),
            get("/fhir/Patient/zebra", patient, 404, "not-found"),
            get("/fhir", patient, 404, "not-found"),
            get("/fhir/QuestionnaireResponse?patient=zebra", patient, 400, "malformed-parameter"),
            get("/fhir/QuestionnaireResponse?authored=zebra", patient, 400, "malformed-parameter"),
            get("/fhir/QuestionnaireResponse?_count=0", patient, 400, "malformed-parameter"),
            get("/fhir/metadata?_format=xml", anybody, 406, "not-acceptable"),
        ],
    )
    .await?;
    let refused = client.raw("GET", "/fhir/metadata", &[("accept", "application/fhir+xml")], "").await?;
    outcome(&refused, 406, "not-acceptable")?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn all_broken_rules_are_told_with_their_places() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let items = [
        ("note", json!({"valueString": "z".repeat(501)})),
        ("pain", json!({"valueInteger": 11})),
        ("temperature", json!({"valueString": SENT})),
        ("rescue", json!({"valueBoolean": true})),
        ("mood", json!({"valueString": SENT})),
    ];
    let mut resource = fhir::response("daily-symptom-diary", PATIENT.id, PATIENT.assignment, &items);
    resource["extension"] = json!([{"url": "http://example.org/zebra", "valueString": SENT}]);
    resource["authored"] = json!("2026-03-01T08:30:00");
    let answer = client.create_response(&patient, &[("idempotency-key", "key")], &resource).await?;
    let body = outcome(&answer, 422, "report-invalid")?;
    let issues = body["issue"].as_array().context("no issues")?;
    let told: Vec<_> = issues[1..]
        .iter()
        .map(|issue| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&issue["expression"][0]), text(&issue["details"]["coding"][0]["code"]), text(&issue["code"]))
        })
        .collect();
    let expected = [
        ("QuestionnaireResponse.extension", "attested", "business-rule"),
        ("QuestionnaireResponse.authored", "captured-at-format", "value"),
        ("QuestionnaireResponse.item", "unknown-item", "not-found"),
        ("QuestionnaireResponse.item[2]", "type", "structure"),
        ("QuestionnaireResponse.item[1]", "range", "value"),
        ("QuestionnaireResponse.item[0]", "length", "value"),
        ("QuestionnaireResponse.item", "required", "required"),
    ];
    assert_eq!(told, expected.map(|(place, rule, word)| (place.to_owned(), rule.to_owned(), word.to_owned())));
    assert_eq!(issues[7]["details"]["text"], "required: item rescue_doses");
    assert!(!body.to_string().contains(SENT), "{body}");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_conflict_and_an_outage_are_outcomes_too() -> anyhow::Result<()> {
    let mut stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let scheduled = e2e::setup::schedule(&stack, PATIENT.assignment, &[e2e::setup::Window::open()]).await?;
    let resource = diary(PATIENT.id, scheduled);
    stored(&client, &patient, &resource).await?;
    let again = [("idempotency-key", "another")];
    let body = outcome(&client.create_response(&patient, &again, &resource).await?, 409, "window-used")?;
    assert_eq!(body["issue"][0]["code"], "conflict");

    stack.kill(Service::EproSvc).await?;
    let answer = client.create_response(&patient, &again, &resource).await?;
    let body = outcome(&answer, 503, "unavailable")?;
    assert_eq!((&body["issue"][0]["code"], answer.header("retry-after")), (&json!("transient"), Some("2")));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_report_that_comes_too_late_is_held_and_said_to_be() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let past = e2e::setup::Window::minutes(-60, -30, -10);
    let scheduled = e2e::setup::schedule(&stack, PATIENT.assignment, &[past]).await?;
    let mut resource = diary(PATIENT.id, scheduled);
    resource["authored"] = json!(e2e::setup::text(past.opens_at));
    let answer =
        client.create_response(&patient, &[("idempotency-key", "key")], &resource).await?.expect_status(202)?;
    assert_eq!(answer.json()["resourceType"], "OperationOutcome");
    assert!(created(&answer).is_some());
    stack.stop().await?;
    Ok(())
}
