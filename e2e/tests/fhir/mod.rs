//! The FHIR R4 interface of the gateway: the same reports with the same rules.

mod errors;
mod idempotency;
mod search;

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use e2e::{DEADLINE, NEIGHBOUR, NURSE, NURSES_PER_SITE, OTHER_NURSE, PATIENT, rows, seen, with_long_timeouts};
use serde_json::{Value, json};
use testkit::client::{Client, Response, Token};
use testkit::contract;
use testkit::fhir::{self, MEDIA_TYPE, RESPONSES, created, diary, gad7, phq9};
use testkit::stack::{Service, Stack};

/// Stores a valid resource with a new idempotency key. Returns its id.
async fn stored(client: &Client, token: &Token, resource: &Value) -> anyhow::Result<String> {
    let key = uuid::Uuid::new_v4().to_string();
    let answer = client.create_response(token, &[("idempotency-key", &key)], resource).await?.expect_status(201)?;
    Ok(created(&answer).context("no location")?.to_owned())
}

/// The body of an error, after checking that the answer has everything that clients rely on.
fn outcome(answer: &Response, status: u16, code: &str) -> anyhow::Result<Value> {
    let body = answer.json();
    let shown = || format!("{} {:?} {}", answer.status, answer.headers, String::from_utf8_lossy(&answer.body));
    ensure!(answer.status == status, "not {status}: {}", shown());
    ensure!(answer.header("content-type") == Some(MEDIA_TYPE), "another media type: {}", shown());
    ensure!(body["resourceType"] == "OperationOutcome", "no OperationOutcome: {}", shown());
    let first = &body["issue"][0];
    ensure!(first["details"]["coding"][0]["code"] == code, "not {code}: {}", shown());
    let diagnostics = first["diagnostics"].as_str().unwrap_or_default();
    let trace_id = answer.trace_id().context("no traceresponse")?;
    ensure!(diagnostics.contains(&trace_id), "another trace id: {}", shown());
    ensure!(answer.header("cache-control") == Some("no-store"), "a cache may keep it: {}", shown());
    ensure!(status != 401 || answer.header("www-authenticate") == Some("Bearer"), "no challenge: {}", shown());
    Ok(body)
}

/// The answers of a response by item, without the display texts of codes.
fn answers(resource: &Value) -> BTreeMap<String, Value> {
    let items = resource["item"].as_array().into_iter().flatten();
    let answers = items.map(|item| {
        let mut answer = item["answer"].clone();
        if let Some(coding) = answer.pointer_mut("/0/valueCoding").and_then(Value::as_object_mut) {
            coding.remove("display");
        }
        (item["linkId"].as_str().unwrap_or_default().to_owned(), answer)
    });
    answers.collect()
}

#[tokio::test]
async fn what_goes_in_comes_out_and_a_nurse_sees_the_total() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    for (resource, total) in [
        (diary(PATIENT.id, PATIENT.assignment), None),
        (phq9(PATIENT.id, PATIENT.phq9, [0, 1, 2, 3, 0, 1, 2, 3, 0]), Some(("phq9-total", 12))),
        (phq9(PATIENT.id, PATIENT.phq9, [0; 9]), Some(("phq9-total", 0))),
        (gad7(PATIENT.id, PATIENT.gad7, [3, 3, 3, 3, 3, 3, 3]), Some(("gad7-total", 21))),
    ] {
        let id = stored(&client, &patient, &resource).await?;
        let path = format!("{RESPONSES}/{id}");
        let own = seen(&client, &patient, &path).await?;
        assert_eq!(answers(&own), answers(&resource));
        for name in ["questionnaire", "status", "subject", "source", "basedOn"] {
            assert_eq!(own[name], resource[name], "{name}");
        }
        assert_eq!(own["id"], json!(id));
        let [sent, shown] = [&resource, &own]
            .map(|one| one["authored"].as_str().unwrap_or_default().parse::<chrono::DateTime<chrono::Utc>>());
        assert_eq!(sent?, shown?);
        assert_eq!(own.pointer("/extension/0/valueSignature/who"), Some(&resource["subject"]));

        let mut hers = answers(&seen(&client, &nurse, &path).await?);
        let shown = total.map(|(link_id, _)| hers.remove(link_id));
        assert_eq!(shown.flatten(), total.map(|(_, total)| json!([{"valueInteger": total}])));
        assert_eq!(hers, answers(&own));
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_hundred_random_diaries_and_questionnaires_keep_every_answer() -> anyhow::Result<()> {
    let stack = with_long_timeouts().without_rate_limits().start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut rng = fastrand::Rng::with_seed(41);
    for _ in 0..100 {
        let resource = if rng.bool() {
            let values = [(); 9].map(|()| rng.usize(0..4));
            phq9(PATIENT.id, PATIENT.phq9, values)
        } else {
            let rescue = rng.bool();
            let temperature = f64::from(rng.u32(3400..=4300)) / 100.0;
            let length = rng.usize(1..=500);
            let note: String = std::iter::repeat_with(|| rng.char('\u{20}'..)).take(length).collect();
            let mut items =
                vec![("pain", json!({"valueInteger": rng.u8(0..=10)})), ("rescue", json!({"valueBoolean": rescue}))];
            items.extend(rescue.then(|| ("rescue_doses", json!({"valueInteger": rng.u8(1..=20)}))));
            items.push(("temperature", json!({"valueDecimal": temperature})));
            items.push(("note", json!({"valueString": note})));
            fhir::response("daily-symptom-diary", PATIENT.id, PATIENT.assignment, &items)
        };
        let id = stored(&client, &patient, &resource).await?;
        let shown = seen(&client, &patient, &format!("{RESPONSES}/{id}")).await?;
        assert_eq!(answers(&shown), answers(&resource));
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_report_is_the_same_whichever_way_it_came() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let id = stored(&client, &patient, &phq9(PATIENT.id, PATIENT.phq9, [0, 1, 2, 3, 0, 0, 0, 0, 1])).await?;
    let report = seen(&client, &patient, &format!("/v1/reports/{id}")).await?;
    let values = json!({
        "phq9-1": 0, "phq9-2": 1, "phq9-3": 2, "phq9-4": 3, "phq9-5": 0, "phq9-6": 0, "phq9-7": 0, "phq9-8": 0,
        "phq9-9": 1, "phq9-difficulty": 1,
    });
    assert_eq!(report["answers"], values);
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let hers = seen(&client, &nurse, &format!("/v1/reports/{id}")).await?;
    assert_eq!((&hers["score"]["total"], &hers["alerts"][0]["rule"]), (&json!(7), &json!("needs-assessment")));

    let amendment = json!({"answers": {"pain": 5}, "reason": "I mixed up two days."});
    let first = client.submit_new(&patient, PATIENT.assignment).await?.expect_status(201)?.text("report_id")?;
    assert_eq!(seen(&client, &patient, &format!("{RESPONSES}/{first}")).await?["status"], "completed");
    let second = client.amend(&patient, &first, "\"1\"", &amendment).await?.expect_status(201)?.text("report_id")?;
    let amended = seen(&client, &patient, &format!("{RESPONSES}/{second}")).await?;
    assert_eq!((&amended["status"], answers(&amended).len()), (&json!("amended"), 1));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn questionnaires_have_their_codes_and_options() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    for (id, code, total, items) in [
        ("phq-9", Some("44249-1"), Some("44261-6"), 11),
        ("gad-7", Some("69737-5"), Some("70274-6"), 8),
        ("daily-symptom-diary", None, None, 5),
    ] {
        let shown = seen(&client, &patient, &format!("/fhir/Questionnaire/{id}-1.0")).await?;
        assert_eq!(
            format!("{}|{}", shown["url"].as_str().unwrap_or_default(), shown["version"].as_str().unwrap_or_default()),
            fhir::canonical(id)
        );
        let coded = code.map(|code| json!({"system": "http://loinc.org", "code": code}));
        assert_eq!(shown.pointer("/code/0"), coded.as_ref());
        let all = shown["item"].as_array().context("no items")?;
        assert_eq!(all.len(), items);
        let last = &all[items - 1];
        assert_eq!(last["readOnly"] == true, total.is_some());
        assert_eq!(last.pointer("/code/0/code").and_then(Value::as_str), total);
    }
    let phq9 = seen(&client, &patient, "/fhir/Questionnaire/phq-9-1.0").await?;
    let option = json!({"valueCoding": {
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/ordinalValue", "valueDecimal": 3}],
        "system": "http://loinc.org", "code": "LA6571-9", "display": "Nearly every day",
    }});
    assert_eq!(phq9["item"][0]["answerOption"][3], option);
    assert_eq!(phq9["item"][9]["enableWhen"].as_array().map(Vec::len), Some(27), "nine items, three options each");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn anybody_may_read_what_is_served_in_the_media_type_of_fhir() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::Gateway, "EPRO_PUBLIC_URL", "https://epro.example.org").start().await?;
    let client = stack.client();
    for (query, accept) in [("", "*/*"), ("", "application/json"), ("?_format=json", "text/html")] {
        let answer = client.raw("GET", &format!("/fhir/metadata{query}"), &[("accept", accept)], "").await?;
        let answer = answer.expect_status(200)?;
        assert_eq!(answer.header("content-type"), Some(MEDIA_TYPE));
        let statement = answer.json();
        assert_eq!(
            (&statement["resourceType"], &statement["fhirVersion"]),
            (&json!("CapabilityStatement"), &json!("4.0.1"))
        );
        assert_eq!(statement["implementation"]["url"], "https://epro.example.org/fhir");
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn others_see_nothing_of_it() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let id = stored(&client, &patient, &diary(PATIENT.id, PATIENT.assignment)).await?;
    for (login, pin) in [(NEIGHBOUR.login, NEIGHBOUR.pin), (OTHER_NURSE.login, OTHER_NURSE.pin)] {
        let other = client.login(login, pin).await?;
        outcome(&client.get(&format!("{RESPONSES}/{id}"), Some(&other)).await?, 404, "report-not-found")?;
        assert_eq!(seen(&client, &other, RESPONSES).await?.get("entry"), None);
    }
    let neighbour = client.login(NEIGHBOUR.login, NEIGHBOUR.pin).await?;
    let mut theirs = diary(NEIGHBOUR.id, PATIENT.assignment);
    let key = [("idempotency-key", "key")];
    outcome(&client.create_response(&neighbour, &key, &theirs).await?, 404, "assignment-not-found")?;
    theirs["subject"] = fhir::reference("Patient", PATIENT.id);
    outcome(&client.create_response(&neighbour, &key, &theirs).await?, 422, "invalid-body")?;
    assert_eq!(rows(&stack).await?.reports, 1);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_submission_is_one_whole_trace_and_says_nothing_of_what_is_in_it() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut resource = phq9(PATIENT.id, PATIENT.phq9, [0, 1, 0, 1, 0, 1, 0, 1, 0]);
    resource["identifier"] = json!({"system": "https://phone.example.org", "value": "zebra-1"});
    let answer = client.create_response(&patient, &[], &resource).await?.expect_status(201)?;
    let mut expected = contract::submit_report(NURSES_PER_SITE);
    "POST /fhir/QuestionnaireResponse".clone_into(&mut expected.name);
    let trace_id = answer.trace_id().unwrap_or_default();
    stack.otlp.wait_for_shape(&trace_id, DEADLINE, &expected).await?;
    resource["item"][0]["answer"][0]["valueCoding"]["code"] = json!("LA-zebra");
    outcome(
        &client.create_response(&patient, &[("idempotency-key", "zebra-2")], &resource).await?,
        422,
        "report-invalid",
    )?;
    let path = format!("{RESPONSES}/{}", created(&answer).unwrap_or_default());
    let mut names = vec![];
    for (path, name) in [
        (path.as_str(), "GET /fhir/QuestionnaireResponse/{id}"),
        ("/fhir/Questionnaire/phq-9-1.0", "GET /fhir/Questionnaire/{id}"),
        ("/fhir/metadata", "GET /fhir/metadata"),
        (
            "/fhir/QuestionnaireResponse?questionnaire=https://example.org/questionnaires/phq-9",
            "GET /fhir/QuestionnaireResponse",
        ),
    ] {
        let trace_id = client.get(path, Some(&patient)).await?.expect_status(200)?.trace_id().unwrap_or_default();
        let trace = stack.otlp.wait_for(&trace_id, DEADLINE, |trace| e2e::is_whole(trace, name)).await?;
        names.push(trace.roots()[0].name.clone());
    }
    assert!(names.iter().all(|name| name.contains("/fhir/")), "{names:?}");

    let secrets =
        ["zebra", "phq", "PHQ", "LA65", "44249-1", "44250-9", "loinc", "phone.example.org", PATIENT.subject_code];
    let mut everything: Vec<String> = Vec::new();
    for trace in stack.otlp.traces() {
        everything.extend(trace.spans.iter().map(testkit::trace::Span::everything));
    }
    for service in Service::ALL {
        for mut line in stack.logs(service).into_iter().filter(|line| line["message"] != "listening") {
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
    stack.stop().await?;
    Ok(())
}
