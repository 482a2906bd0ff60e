//! Lists in pages.

use std::collections::BTreeSet;

use anyhow::Context;
use e2e::{NEIGHBOUR, NURSE, PATIENT, seen, submitted};
use serde_json::{Value, json};
use testkit::client::report;
use testkit::stack::Stack;
use uuid::Uuid;

/// The ids on a page, and the cursor of the next page.
fn page(body: &Value) -> (Vec<String>, Option<String>) {
    let reports = body["reports"].as_array().cloned().unwrap_or_default();
    let ids = reports.iter().map(|report| report["report_id"].as_str().unwrap_or_default().to_owned()).collect();
    (ids, body["next_cursor"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn pages_have_every_report_once_even_when_new_ones_arrive() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let mut written = Vec::new();
    for _ in 0..20 {
        written.push(submitted(&client, &patient, PATIENT).await?);
    }
    // Five reports that arrived at the same time.
    let twins: Vec<Uuid> = sqlx::query_scalar(
        "INSERT INTO clinical.report (assignment_id, enrolment_id, captured_at, captured_offset_seconds, received_at,
                                      answers, raw_body, raw_sha256)
         SELECT assignment_id, enrolment_id, captured_at, captured_offset_seconds, received_at,
                answers, raw_body, raw_sha256
         FROM clinical.report, generate_series(1, 5) WHERE report_id = $1::uuid RETURNING report_id",
    )
    .bind(&written[12])
    .fetch_all(&mut stack.database.connect().await?)
    .await?;
    written.extend(twins.iter().map(Uuid::to_string));
    let expected: BTreeSet<_> = written.iter().cloned().collect();

    let site = format!("/v1/sites/{}/reports", PATIENT.site);
    for (token, path) in
        [(&patient, "/v1/reports?"), (&nurse, &format!("{site}?review=pending&")), (&nurse, &format!("{site}?"))]
    {
        let (mut ids, mut next) = page(&seen(&client, token, &format!("{path}limit=10")).await?);
        let mut sizes = vec![ids.len()];
        // Reports that earlier rounds have added, and that were already there when the first page was read.
        let mut newer: BTreeSet<_> = ids.iter().filter(|id| !expected.contains(*id)).cloned().collect();
        while let Some(cursor) = next {
            newer.insert(submitted(&client, &patient, PATIENT).await?);
            let (more, cursor) = page(&seen(&client, token, &format!("{path}limit=10&cursor={cursor}")).await?);
            sizes.push(more.len());
            ids.extend(more);
            next = cursor;
            assert!(sizes.len() < 10, "the pages do not end");
        }
        assert!(sizes.iter().rev().skip(1).all(|size| *size == 10), "{sizes:?}");
        let seen: BTreeSet<_> = ids.iter().cloned().collect();
        assert_eq!(seen.len(), ids.len(), "none twice");
        assert_eq!(seen.difference(&newer).cloned().collect::<BTreeSet<_>>(), expected, "none is missing");
        let order: Vec<_> =
            ids.iter().filter_map(|id| written[..20].iter().position(|written| written == id)).collect();
        assert!(order.is_sorted_by(|a, b| a > b), "newest first: {order:?}");
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_page_has_twenty_unless_asked_and_its_cursor_is_not_for_changing() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    for _ in 0..21 {
        submitted(&client, &patient, PATIENT).await?;
    }
    let (ids, cursor) = page(&seen(&client, &patient, "/v1/reports?unknown=1").await?);
    let cursor = cursor.unwrap_or_default();
    assert_eq!((ids.len(), cursor.is_empty()), (20, false));
    let (rest, end) = page(&seen(&client, &patient, &format!("/v1/reports?cursor={cursor}")).await?);
    assert_eq!((rest.len(), end), (1, None));
    let (all, end) = page(&seen(&client, &patient, "/v1/reports?limit=100").await?);
    assert_eq!((all.len(), end), (21, None));
    for id in &ids {
        assert!(!cursor.contains(id.as_str()), "opaque");
    }
    for changed in [
        cursor[..cursor.len() - 1].to_owned(),
        format!("{cursor}A"),
        format!("A{cursor}"),
        format!("{cursor}{cursor}"),
        format!("{cursor}="),
        format!("%00{cursor}"),
    ] {
        let answer = client.get(&format!("/v1/reports?cursor={changed}"), Some(&patient)).await?;
        e2e::problem(&answer, 400, "malformed-cursor").with_context(|| format!("{changed} instead of {cursor}"))?;
    }
    // The cursor of another person does not give access to that person's reports.
    let neighbour = client.login(NEIGHBOUR.login, NEIGHBOUR.pin).await?;
    let (ids, _) = page(&seen(&client, &neighbour, &format!("/v1/reports?cursor={cursor}")).await?);
    assert!(ids.is_empty());
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_list_shows_what_a_report_is_about_and_nothing_of_its_answers() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let sent = report(PATIENT.assignment);
    let id = client.submit(&patient, "key", &sent).await?.expect_status(201)?.text("report_id")?;
    client.review(&nurse, &id, "approved").await?.expect_status(201)?;
    let listed = seen(&client, &patient, "/v1/reports").await?["reports"][0].clone();
    let received_at = seen(&client, &patient, &format!("/v1/reports/{id}")).await?["received_at"].clone();
    let mut expected = json!({
        "report_id": id,
        "assignment_id": PATIENT.assignment,
        "questionnaire": {"id": "daily-symptom-diary", "version": "1.0", "title": "Daily symptom diary"},
        "revision": 1,
        "captured_at": listed["captured_at"],
        "received_at": received_at,
        "disposition": "accepted",
        "review": "approved",
    });
    assert_eq!(listed, expected);
    let listed = seen(&client, &nurse, &format!("/v1/sites/{}/reports", PATIENT.site)).await?["reports"][0].clone();
    expected["urgent"] = json!(false);
    assert_eq!(listed, expected);
    stack.stop().await?;
    Ok(())
}
