//! A retry stores nothing new, whichever header or identifier carries the key.

use super::*;

#[tokio::test]
async fn a_retry_by_each_way_gets_the_first_answer() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut resource = diary(PATIENT.id, PATIENT.assignment);
    resource["identifier"] = json!({"system": "https://phone.example.org", "value": "1"});
    let condition = "identifier=https%3A%2F%2Fphone.example.org%7C1";
    let first = client.create_response(&patient, &[], &resource).await?.expect_status(201)?;
    // The same key, given in three ways.
    for (headers, status) in [
        (&[][..], 201),
        (&[("idempotency-key", "https://phone.example.org|1")], 201),
        (&[("if-none-exist", condition)], 200),
        (&[("if-none-exist", condition), ("prefer", "return=representation")], 200),
    ] {
        let again = client.create_response(&patient, headers, &resource).await?.expect_status(status)?;
        assert_eq!(created(&again), created(&first), "{headers:?}");
    }
    assert_eq!(rows(&stack).await?.reports, 1);

    for (headers, other_name) in [
        (&[("idempotency-key", "key-2")][..], "key-2"),
        (&[("if-none-exist", "identifier=https://phone.example.org|3")], "https://phone.example.org|3"),
    ] {
        let stored = client.create_response(&patient, headers, &resource).await?.expect_status(201)?;
        let again = client.create_response(&patient, &[("idempotency-key", other_name)], &resource).await?;
        assert_eq!(created(&again.expect_status(201)?), created(&stored));
    }
    assert_eq!(rows(&stack).await?.reports, 3);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn other_content_under_the_same_name_is_refused() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut resource = diary(PATIENT.id, PATIENT.assignment);
    resource["identifier"] = json!({"system": "https://phone.example.org", "value": "1"});
    client.create_response(&patient, &[], &resource).await?.expect_status(201)?;
    // Whitespace and the order of members are not part of the content.
    let spaced = serde_json::to_string_pretty(&resource)?;
    let bearer = format!("Bearer {}", patient.0);
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/fhir+json;fhirVersion=4.0;charset=utf-8")];
    client.raw("POST", RESPONSES, &headers, spaced).await?.expect_status(201)?;
    resource["item"][0]["answer"][0]["valueInteger"] = json!(4);
    for headers in [&[][..], &[("if-none-exist", "identifier=https://phone.example.org|1")]] {
        outcome(&client.create_response(&patient, headers, &resource).await?, 422, "idempotency-key-reused")?;
    }
    assert_eq!(rows(&stack).await?.reports, 1);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_submission_without_a_name_is_told_how_to_have_one() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let resource = diary(PATIENT.id, PATIENT.assignment);
    let body = outcome(&client.create_response(&patient, &[], &resource).await?, 400, "submission-key")?;
    let text = body["issue"][0]["details"]["text"].as_str().unwrap_or_default();
    assert!(["Idempotency-Key", "If-None-Exist", "identifier"].iter().all(|way| text.contains(way)), "{text}");
    assert_eq!(body["issue"][0]["code"], "required");
    assert_eq!(rows(&stack).await?.reports, 0);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_comes_back_is_what_is_preferred() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let resource = diary(PATIENT.id, PATIENT.assignment);
    for (prefer, kind) in [
        ("return=representation", json!("QuestionnaireResponse")),
        ("return=OperationOutcome", json!("OperationOutcome")),
        ("respond-async", json!("OperationOutcome")),
        ("return=minimal", Value::Null),
    ] {
        let headers = [("idempotency-key", prefer), ("prefer", prefer)];
        let answer = client.create_response(&patient, &headers, &resource).await?.expect_status(201)?;
        assert_eq!(answer.json()["resourceType"], kind, "{prefer}");
        let location = answer.header("location").unwrap_or_default().to_owned();
        assert!(location.starts_with(&stack.url(Service::Gateway)), "{location}");
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_assignment_is_named_or_the_only_one() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut resource = gad7(PATIENT.id, PATIENT.gad7, [1; 7]);
    let _ = resource.as_object_mut().and_then(|resource| resource.remove("basedOn"));
    let id = stored(&client, &patient, &resource).await?;
    let shown = seen(&client, &patient, &format!("{RESPONSES}/{id}")).await?;
    assert_eq!(shown["basedOn"][0], fhir::reference("ServiceRequest", PATIENT.gad7));

    // There are two assignments of the diary: one at any time, and one once a day.
    let mut resource = diary(PATIENT.id, PATIENT.assignment);
    let _ = resource.as_object_mut().and_then(|resource| resource.remove("basedOn"));
    let key = [("idempotency-key", "key")];
    let body = outcome(&client.create_response(&patient, &key, &resource).await?, 422, "invalid-body")?;
    assert_eq!(body["issue"][1]["expression"], json!(["QuestionnaireResponse.basedOn"]));
    // The assignment decides which questionnaire is filled in.
    resource["basedOn"] = json!([fhir::reference("ServiceRequest", PATIENT.gad7)]);
    let body = outcome(&client.create_response(&patient, &key, &resource).await?, 422, "report-invalid")?;
    assert_eq!(body["issue"][1]["expression"], json!(["QuestionnaireResponse.questionnaire"]));
    stack.stop().await?;
    Ok(())
}
