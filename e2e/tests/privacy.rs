//! No patient data in spans, logs, SMS or mail.

use e2e::{DEADLINE, NURSE, NURSES_PER_SITE, PATIENT};
use serde_json::{Value, json};
use testkit::client::report;
use testkit::contract;
use testkit::stack::{Service, Stack};

/// Notes that would break out of a template, a header or a statement if anything let them.
const NOTES: [&str; 6] = [
    "zebra'; DROP TABLE clinical.report; --",
    "{{7*7}} zebra",
    "<script>zebra</script>",
    "zebra\r\nBcc: someone@example.org",
    "\u{202e}zebra",
    "zebra \u{1f62d}",
];

#[tokio::test]
async fn a_hostile_note_is_stored_as_it_is_and_goes_nowhere_else() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut traces = Vec::new();
    for note in NOTES {
        let mut body = report(PATIENT.assignment);
        body["answers"]["note"] = json!(note);
        body["answers"]["temperature"] = json!(38.1234);
        let submitted = client.submit(&token, &format!("key-{}", traces.len()), &body).await?.expect_status(201)?;
        let path = submitted.header("location").unwrap_or_default().to_owned();
        let stored = client.get(&path, Some(&token)).await?.expect_status(200)?.json();
        assert_eq!(stored["answers"]["note"], note);
        traces.push(submitted.trace_id().unwrap_or_default());
    }
    // Refused ones as well, and a query string.
    let mut refused = report(PATIENT.assignment);
    refused["answers"]["zebra"] = json!("zebra");
    client.submit(&token, "zebra", &refused).await?.expect_status(422)?;
    client.get("/v1/zebra?name=zebra", Some(&token)).await?.expect_status(404)?;
    for id in &traces {
        stack.otlp.wait_for_shape(id, DEADLINE, &contract::submit_report(NURSES_PER_SITE)).await?;
    }

    let secrets = [
        "zebra",
        PATIENT.login,
        PATIENT.pin,
        PATIENT.subject_code,
        NURSE.phone,
        NURSE.email,
        token.0.as_str(),
        "38.1234",
        "symptom",
        "127.0.0.1:",
    ];
    let mut everything: Vec<String> = Vec::new();
    for trace in stack.otlp.traces() {
        everything.extend(trace.spans.iter().map(testkit::trace::Span::everything));
    }
    for service in Service::ALL {
        // The address a service listens on is its own business, and the only one in a log.
        for mut line in stack.logs(service).into_iter().filter(|line| line["message"] != "listening") {
            // Digits of these may look like any secret.
            for random in ["timestamp", "duration_ms", "trace_id", "span_id"] {
                line[random] = json!(null);
            }
            everything.push(line.to_string());
        }
    }
    for secret in secrets {
        let leak = everything.iter().find(|text| text.contains(secret));
        assert!(leak.is_none(), "{secret} in {}", leak.map_or("", |leak| leak));
    }
    for message in stack.sms.accepted() {
        assert!(!message.body.contains("zebra"), "{}", message.body);
    }
    for mail in stack.smtp.accepted() {
        assert!(!mail.raw.contains("zebra"), "{}", mail.raw);
        assert_eq!(mail.to.len(), 1, "nobody else gets a copy");
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_trace_id_of_an_answer_finds_log_lines_in_every_service() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let trace_id = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?.trace_id();
    let trace_id = trace_id.unwrap_or_default();
    stack.otlp.wait_for_shape(&trace_id, DEADLINE, &contract::submit_report(NURSES_PER_SITE)).await?;
    for service in Service::ALL {
        let is_of_trace = |line: &Value| line["trace_id"] == trace_id.as_str() && line["span_id"].is_string();
        stack.wait_for_log(service, DEADLINE, is_of_trace).await?;
    }
    stack.stop().await?;
    Ok(())
}
