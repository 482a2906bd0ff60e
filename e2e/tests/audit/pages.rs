//! A trail of any length can be read page by page, and the number of revisions of a report is limited.

use e2e::{NURSE, PATIENT, amendment, problem, rows, seen, submitted};
use serde_json::Value;
use testkit::stack::{Service, Stack};

#[tokio::test]
async fn a_long_trail_is_read_page_by_page() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let mut reports = vec![submitted(&client, &patient, PATIENT).await?];
    for _ in 0..4 {
        // Its events are in the same chain but belong to another report.
        submitted(&client, &patient, PATIENT).await?;
        let amended = client.amend(&patient, &reports[reports.len() - 1], "*", &amendment()).await?;
        reports.push(amended.expect_status(201)?.text("report_id")?);
    }
    let path = format!("/v1/reports/{}/audit", reports[1]);
    let (mut objects, mut cursor) = (Vec::new(), String::new());
    for page in 0..3 {
        let trail = seen(&client, &nurse, &format!("{path}?limit=2{cursor}")).await?;
        objects.extend(trail["events"].as_array().into_iter().flatten().map(|event| event["object_id"].clone()));
        match trail["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => assert_eq!(page, 2, "{trail}"),
        }
    }
    assert_eq!(objects, reports.iter().cloned().map(Value::from).collect::<Vec<_>>());
    for (query, name) in [
        ("limit=0", "malformed-parameter"),
        ("limit=101", "malformed-parameter"),
        ("cursor=AAAAAAAAAAA", "malformed-cursor"),
        ("cursor=x", "malformed-cursor"),
    ] {
        problem(&client.get(&format!("{path}?{query}"), Some(&nurse)).await?, 400, name)?;
    }
    let first = seen(&client, &nurse, &format!("{path}?limit=1")).await?;
    let cursor = first["next_cursor"].as_str().unwrap_or_default();
    let unknown = format!("/v1/reports/{}/audit?cursor={cursor}", PATIENT.assignment);
    problem(&client.get(&unknown, Some(&nurse)).await?, 404, "report-not-found")?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_report_has_as_many_revisions_as_it_may_have() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::EproSvc, "EPRO_AMENDMENTS__MAX_REVISIONS", "2").start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let first = submitted(&client, &patient, PATIENT).await?;
    let second = client.amend_under(&patient, "second", &first, "\"1\"", &amendment()).await?.expect_status(201)?;
    let second = second.text("report_id")?;
    problem(&client.amend(&patient, &second, "\"2\"", &amendment()).await?, 409, "revision-limit")?;
    // A retry of the stored amendment still gets its answer.
    client.amend_under(&patient, "second", &first, "\"1\"", &amendment()).await?.expect_status(201)?;
    assert_eq!(rows(&stack).await?.reports, 2);
    stack.stop().await?;
    Ok(())
}
