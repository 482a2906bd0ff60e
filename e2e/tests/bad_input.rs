//! Bad input gets a clear answer, repeats nothing and stores nothing.

use e2e::{DEADLINE, PATIENT, is_whole, rows};
use migrations::demo::PATIENTS;
use serde_json::{Value, json};
use testkit::client::{Client, Response, Token, report};
use testkit::stack::{Service, Stack};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A word that no answer may repeat.
const MARK: &str = "zebra";

/// Name, headers beside the token, body, status, last part of the problem type.
type Case = (&'static str, Vec<(&'static str, String)>, Vec<u8>, u16, &'static str);

fn json_headers() -> Vec<(&'static str, String)> {
    vec![("content-type", "application/json".to_owned()), ("idempotency-key", "key".to_owned())]
}

fn many_unknown_items() -> Vec<u8> {
    let answers: serde_json::Map<_, _> = (0..5_000).map(|number| (number.to_string(), json!(1))).collect();
    changed(|body| body["answers"] = answers.into())
}

/// A valid report with one thing changed.
fn changed(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut body = report(PATIENT.assignment);
    change(&mut body);
    body.to_string().into_bytes()
}

fn with_answer(link_id: &str, value: Value) -> Vec<u8> {
    changed(|body| body["answers"][link_id] = value)
}

fn unreadable() -> Vec<Case> {
    let bodies: [(&str, Vec<u8>); 13] = [
        ("no body", vec![]),
        ("truncated JSON", changed(|_| ())[..40].to_vec()),
        ("an array", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("trailing garbage", [changed(|_| ()), MARK.as_bytes().to_vec()].concat()),
        ("a name twice", br#"{"attested":true,"attested":false}"#.to_vec()),
        ("an answer twice", br#"{"answers":{"pain":1,"pain":2}}"#.to_vec()),
        ("invalid UTF-8", b"{\"a\":\"\xff\"}".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("a lone surrogate", br#"{"a":"\ud800"}"#.to_vec()),
        ("not a number", br#"{"a":NaN}"#.to_vec()),
        ("an endless number", br#"{"a":1e999}"#.to_vec()),
        ("deep nesting", [b"{\"a\":".to_vec(), b"[".repeat(10_000)].concat()),
    ];
    bodies.into_iter().map(|(name, body)| (name, json_headers(), body, 400, "malformed-json")).collect()
}

fn outside_the_body() -> Vec<Case> {
    let key = |keys: &[String]| {
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(keys.iter().map(|key| ("idempotency-key", key.clone())));
        headers
    };
    let plain = || changed(|_| ());
    vec![
        ("no key", key(&[]), plain(), 400, "idempotency-key"),
        ("an empty key", key(&[String::new()]), plain(), 400, "idempotency-key"),
        ("two keys", key(&["a".to_owned(), "b".to_owned()]), plain(), 400, "idempotency-key"),
        ("a key with a tab", key(&["a\tb".to_owned()]), plain(), 400, "idempotency-key"),
        ("a key of 256 characters", key(&[MARK.repeat(52)[..256].to_owned()]), plain(), 400, "idempotency-key"),
        ("65 KiB", json_headers(), vec![b' '; 65 * 1024], 413, "too-large"),
        (
            "XML",
            vec![("content-type", "application/xml".to_owned()), ("idempotency-key", "key".to_owned())],
            plain(),
            415,
            "unsupported-media-type",
        ),
        (
            "compressed",
            [json_headers(), vec![("content-encoding", "gzip".to_owned())]].concat(),
            plain(),
            415,
            "unsupported-media-type",
        ),
    ]
}

fn unacceptable() -> Vec<Case> {
    let refused = |name, body, reason| (name, json_headers(), body, 422, reason);
    vec![
        refused("wrong types", changed(|body| body["attested"] = json!(MARK)), "invalid-body"),
        refused("no fields", b"{}".to_vec(), "invalid-body"),
        refused("an unknown field", changed(|body| body["score"] = json!(27)), "invalid-body"),
        refused("5,000 unknown items", many_unknown_items(), "report-invalid"),
        refused(
            "a number beyond 64 bits",
            with_answer("pain", json!(18_446_744_073_709_551_615_u64)),
            "report-invalid",
        ),
        refused("an answer that is an object", with_answer("pain", json!({"a": MARK})), "invalid-body"),
        refused("pain of 11", with_answer("pain", json!(11)), "report-invalid"),
        refused("pain as text", with_answer("pain", json!(MARK)), "report-invalid"),
        refused("an unknown item", with_answer(MARK, json!(1)), "report-invalid"),
        refused("pain missing", changed(|body| body["answers"] = json!({})), "report-invalid"),
        refused("a note of 501 characters", with_answer("note", json!("ä".repeat(501))), "report-invalid"),
        refused("NUL in a note", with_answer("note", json!("\0")), "report-invalid"),
        refused("a disabled item", with_answer("rescue", json!(false)), "report-invalid"),
        refused("not attested", changed(|body| body["attested"] = json!(false)), "report-invalid"),
        refused("no such day", changed(|body| body["captured_at"] = json!("2027-02-29T08:00:00Z")), "report-invalid"),
        refused("24 o'clock", changed(|body| body["captured_at"] = json!("2026-02-28T24:00:00Z")), "report-invalid"),
        refused("no offset", changed(|body| body["captured_at"] = json!("2026-02-28T08:00:00")), "report-invalid"),
        refused("the future", changed(|body| body["captured_at"] = json!("2999-01-01T00:00:00Z")), "report-invalid"),
        (
            "another patient's assignment",
            json_headers(),
            report(PATIENTS[1].assignment).to_string().into_bytes(),
            404,
            "assignment-not-found",
        ),
        (
            "an assignment id that is none",
            json_headers(),
            changed(|body| body["assignment_id"] = json!(MARK)),
            400,
            "malformed-id",
        ),
    ]
}

async fn send(client: &Client, token: &Token, case: &Case) -> anyhow::Result<Response> {
    let authorization = format!("Bearer {}", token.0);
    let mut headers = vec![("authorization", authorization.as_str())];
    headers.extend(case.1.iter().map(|(name, value)| (*name, value.as_str())));
    client.raw("POST", "/v1/reports", &headers, case.2.clone()).await
}

#[tokio::test]
async fn bad_submissions_are_refused_with_a_problem_and_store_nothing() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let before = rows(&stack).await?;
    for case in [unreadable(), outside_the_body(), unacceptable()].concat() {
        let (name, status, reason) = (case.0, case.3, case.4);
        let answer = send(&client, &token, &case).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, status, "{name}: {text}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{name}");
        let problem = answer.json();
        assert_eq!(problem["type"], format!("/problems/{reason}"), "{name}: {text}");
        assert_eq!(problem["status"], status, "{name}");
        assert_eq!(problem["trace_id"].as_str(), answer.trace_id().as_deref(), "{name}");
        assert!(!text.contains(MARK), "{name} is repeated: {text}");
    }
    assert_eq!(rows(&stack).await?, before);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn all_broken_rules_are_listed_at_once() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut body = report(PATIENT.assignment);
    body["answers"] = json!({"pain": 11, "rescue": true, "temperature": 50.5});
    body["attested"] = json!(false);
    let answer = client.submit(&token, "key", &body).await?.expect_status(422)?;
    let expected = json!([
        {"pointer": "/attested", "code": "attested"},
        {"pointer": "/answers/pain", "link_id": "pain", "code": "range"},
        {"pointer": "/answers/temperature", "link_id": "temperature", "code": "range"},
        {"pointer": "/answers/rescue_doses", "link_id": "rescue_doses", "code": "required"},
    ]);
    assert_eq!(answer.json()["errors"], expected);

    // The trace says which rules, and it is no error: the patient's mistake is not ours.
    let trace_id = answer.trace_id().unwrap_or_default();
    let trace = stack.otlp.wait_for(&trace_id, DEADLINE, |trace| is_whole(trace, "validate report")).await?;
    let check = trace.named("validate report");
    let rules: Vec<_> = check[0].events.iter().map(|event| event.attributes["rule.id"].clone()).collect();
    assert_eq!(rules, ["attested", "range", "range", "required"]);
    assert_eq!(trace.errors().len(), 0, "{trace}");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn unknown_paths_and_methods_get_problems_too() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/v1/reports/../../etc/passwd", 404),
        ("GET", "/v1/reports", 405),
        ("DELETE", "/v1/reports", 405),
        ("BREW", "/v1/reports", 405),
        ("POST", "/v1/sessions", 415),
        ("GET", "/v1/reports/%ff", 401),
    ] {
        let answer = client.raw(method, path, &[], "").await?;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{method} {path}");
        assert_eq!(answer.json()["status"], status, "{method} {path}");
    }
    let refused = client.raw("DELETE", "/v1/reports", &[], "").await?;
    assert_eq!(refused.header("allow"), Some("POST"));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up_with_408() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let mut connection = TcpStream::connect(stack.address(Service::Gateway)).await?;
    let head = "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{";
    connection.write_all(head.as_bytes()).await?;
    let mut line = String::new();
    timeout(DEADLINE, BufReader::new(connection).read_line(&mut line)).await??;
    assert_eq!(line, "HTTP/1.1 408 Request Timeout\r\n");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_never_finished_does_not_hold_up_the_end() -> anyhow::Result<()> {
    let mut stack = Stack::start().await?;
    let mut connection = TcpStream::connect(stack.address(Service::Gateway)).await?;
    connection.write_all(b"GET /livez HTTP/1.1\r\nHo").await?;
    assert!(stack.terminate(Service::Gateway).await?.success());
    Ok(())
}
