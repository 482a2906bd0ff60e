//! Spans, logs, SMS and mail contain no patient data.

use std::collections::BTreeSet;

use e2e::{DEADLINE, NURSE, NURSES_PER_SITE, PATIENT, with_long_timeouts};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use testkit::client::report;
use testkit::contract;
use testkit::stack::{Service, Stack};

/// Notes that would break a template, a header or a statement that does not escape them.
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
    // Includes refused requests, and a query string.
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
        // The line `listening` is the only one that may contain an address.
        for mut line in stack.logs(service).into_iter().filter(|line| line["message"] != "listening") {
            // These fields have random digits, which may look like any secret.
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

/// Parts of notes that have a meaning in a template, a header, a mail or a terminal.
const PIECES: [&str; 14] = [
    "{{ link }}",
    "{% raw %}",
    "${jndi:ldap://x}",
    "\r\n.\r\n",
    "\r\nBcc: eve@example.org\r\n",
    "\n\nSubject: ",
    "<script>",
    "%0d%0a",
    "'; DROP TABLE",
    "\u{202e}",
    "\u{1f9a0}",
    "\t",
    "=?utf-8?b?",
    "\u{feff}",
];

#[tokio::test]
async fn the_messages_of_a_thousand_hostile_reports_are_the_fixed_text_and_a_link() -> anyhow::Result<()> {
    const REPORTS: usize = 1000;
    let stack = with_long_timeouts()
        .env(Service::Gateway, "EPRO_RATE_LIMITS__ACCESS_TOKEN__PER_SECOND", "100000")
        .env(Service::Gateway, "EPRO_RATE_LIMITS__ACCESS_TOKEN__BURST", "100000")
        .start()
        .await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut rng = fastrand::Rng::with_seed(1000);
    let bodies: Vec<Value> = (0..REPORTS)
        .map(|_| {
            let word: String = std::iter::repeat_with(|| rng.lowercase()).take(12).collect();
            let note = [(); 4].map(|()| PIECES[rng.usize(..PIECES.len())]).join(&word);
            let mut body = report(PATIENT.assignment);
            body["answers"] = json!({"pain": rng.u8(0..=10), "note": note});
            body
        })
        .collect();
    let links: BTreeSet<String> = stream::iter(bodies.iter().enumerate())
        .map(async |(index, body)| {
            let answer = client.submit(&token, &format!("key-{index}"), body).await?.expect_status(201)?;
            let report_id = answer.json()["report_id"].as_str().unwrap_or_default().to_owned();
            anyhow::Ok(format!("https://study.example.org/reports/{report_id}"))
        })
        .buffer_unordered(16)
        .try_collect()
        .await?;
    let count = REPORTS * NURSES_PER_SITE;
    let texts = stack.sms.journal().wait_until(2 * DEADLINE, |messages| messages.len() == count).await?;
    let mails = stack.smtp.journal().wait_until(2 * DEADLINE, |mails| mails.len() == count).await?;

    let fixed =
        ["ePRO: a new report at your site needs review.", "URGENT ePRO: a new report at your site needs review."];
    for text in &texts {
        let (words, link) = text.body.rsplit_once(' ').unwrap_or_default();
        assert!(fixed.contains(&words) && links.contains(link), "{}", text.body);
    }
    for mail in &mails {
        let body: Vec<&str> = mail.body().lines().collect();
        let [words, "", link, "", "The link asks for your login.", ..] = body[..] else {
            panic!("{}", mail.raw);
        };
        assert!(fixed.contains(&words) && links.contains(link), "{}", mail.raw);
        let subject = mail.subject().unwrap_or_default();
        assert!(
            ["ePRO: a new report needs review", "URGENT ePRO: a new report needs review"].contains(&subject.as_str())
        );
        assert_eq!(mail.to.len(), 1, "{}", mail.raw);
        assert_eq!(mail.header("bcc"), None, "{}", mail.raw);
    }
    stack.stop().await?;
    Ok(())
}
