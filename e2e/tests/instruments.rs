//! The included questionnaires, from the answers to score, severity and alert.

use e2e::{NURSE, PATIENT, seen};
use migrations::demo::SITES;
use serde_json::{Map, Value, json};
use testkit::client::{Client, Token, report};
use testkit::postgres::Cluster;
use testkit::stack::Stack;
use uuid::Uuid;

/// Answers with the sum `total`, the highest first.
fn adding_up_to(total: i64, instrument: &str, items: i64) -> Map<String, Value> {
    let value = |item: i64| (total - 3 * (item - 1)).clamp(0, 3);
    (1..=items).map(|item| (format!("{instrument}-{item}"), json!(value(item)))).collect()
}

async fn submit(
    client: &Client,
    patient: &Token,
    assignment_id: Uuid,
    answers: Map<String, Value>,
) -> anyhow::Result<String> {
    let mut body = report(assignment_id);
    body["answers"] = answers.into();
    client.submit(patient, &Uuid::new_v4().to_string(), &body).await?.expect_status(201)?.text("report_id")
}

#[tokio::test]
async fn phq9_and_gad7_are_summed_up_and_put_into_bands() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    for (total, band) in [
        (0, "minimal"),
        (4, "minimal"),
        (5, "mild"),
        (9, "mild"),
        (10, "moderate"),
        (14, "moderate"),
        (15, "moderately-severe"),
        (19, "moderately-severe"),
        (20, "severe"),
        (27, "severe"),
    ] {
        let mut answers = adding_up_to(total, "phq9", 9);
        if total > 0 {
            // This item is not part of the sum.
            answers.insert("phq9-difficulty".to_owned(), json!(3));
        }
        let id = submit(&client, &patient, PATIENT.phq9, answers).await?;
        let shown = seen(&client, &nurse, &format!("/v1/reports/{id}")).await?;
        assert_eq!(shown["score"], json!({"total": total, "band": band}));
        assert_eq!(shown["alerts"].as_array().map(Vec::len), Some(usize::from(total > 24)), "item 9 of {total}");
    }
    for (total, band) in [(0, "minimal"), (4, "minimal"), (5, "mild"), (10, "moderate"), (15, "severe"), (21, "severe")]
    {
        let id = submit(&client, &patient, PATIENT.gad7, adding_up_to(total, "gad7", 7)).await?;
        let shown = seen(&client, &nurse, &format!("/v1/reports/{id}")).await?;
        assert_eq!((&shown["score"], &shown["alerts"]), (&json!({"total": total, "band": band}), &json!([])));
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_thought_of_self_harm_or_a_bad_day_is_urgent_to_the_nurse_and_not_shown_to_the_patient() -> anyhow::Result<()>
{
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let mut item_9 = adding_up_to(0, "phq9", 9);
    item_9.extend([("phq9-9".to_owned(), json!(1)), ("phq9-difficulty".to_owned(), json!(0))]);
    let diary = |pain: i64, temperature: f64| {
        json!({"pain": pain, "temperature": temperature}).as_object().cloned().unwrap_or_default()
    };
    for (assignment_id, answers, alerts) in [
        (PATIENT.phq9, item_9, vec!["needs-assessment"]),
        (PATIENT.phq9, adding_up_to(0, "phq9", 9), vec![]),
        (PATIENT.assignment, diary(8, 38.9), vec!["severe-pain"]),
        (PATIENT.assignment, diary(7, 39.0), vec!["fever"]),
        (PATIENT.assignment, diary(10, 43.0), vec!["fever", "severe-pain"]),
        (PATIENT.assignment, diary(7, 38.99), vec![]),
    ] {
        let id = submit(&client, &patient, assignment_id, answers).await?;
        let path = format!("/v1/reports/{id}");
        let shown = seen(&client, &nurse, &path).await?;
        let mut rules: Vec<_> = shown["alerts"].as_array().into_iter().flatten().map(|alert| &alert["rule"]).collect();
        rules.sort_by_key(ToString::to_string);
        assert_eq!(json!(rules), json!(alerts));
        assert!(shown["alerts"].as_array().into_iter().flatten().all(|alert| alert["urgent"] == true));
        let page = seen(&client, &nurse, &format!("/v1/sites/{}/reports?limit=1", SITES[0].id)).await?;
        assert_eq!(page["reports"][0]["report_id"], json!(id), "the newest is the first");
        assert_eq!(page["reports"][0]["urgent"], json!(!alerts.is_empty()));

        let own = seen(&client, &patient, &path).await?;
        let listed = seen(&client, &patient, "/v1/reports?limit=1").await?["reports"][0].clone();
        assert_eq!(listed["report_id"], json!(id));
        for (shown, hidden) in [(&own, "score"), (&own, "alerts"), (&own, "urgent"), (&listed, "urgent")] {
            assert_eq!(shown.get(hidden), None, "{hidden}");
        }
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_questionnaire_is_shown_with_its_licence_and_hash() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let notice = "No permission required to reproduce, translate, display or distribute";
    for (id, items, notice) in
        [("phq-9", 10, notice), ("gad-7", 7, notice), ("daily-symptom-diary", 5, "Our own wording")]
    {
        let path = format!("/v1/questionnaires/{id}/versions/1.0");
        let shown = seen(&client, &patient, &path).await?;
        assert_eq!(shown, seen(&client, &nurse, &path).await?);
        assert_eq!((&shown["id"], &shown["version"]), (&json!(id), &json!("1.0")));
        assert_eq!(shown["url"], format!("https://example.org/questionnaires/{id}"));
        assert!(shown["definition"]["copyright"].as_str().is_some_and(|text| text.contains(notice)), "{shown}");
        assert_eq!(shown["definition"]["items"].as_array().map(Vec::len), Some(items));
        assert_eq!(shown.get("retired_at").filter(|time| !time.is_null()), None);
        let (definition, sha256): (Value, String) = sqlx::query_as(
            "SELECT definition, encode(sha256(convert_to(definition::text, 'UTF8')), 'hex')
             FROM clinical.questionnaire_version WHERE questionnaire_id = $1",
        )
        .bind(id)
        .fetch_one(&mut stack.database.connect().await?)
        .await?;
        assert_eq!((&shown["definition"], &shown["sha256"]), (&definition, &json!(sha256)));
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_instrument_has_a_title_and_items() -> anyhow::Result<()> {
    let database = Cluster::from_env()?.create_database().await?;
    let mut superuser = database.connect().await?;
    for (definition, refused) in [
        (json!({"title": "x", "items": []}), false),
        (json!({"title": "x"}), true),
        (json!({"items": []}), true),
        (json!({"title": null, "items": []}), true),
        (json!({"title": "x", "items": {}}), true),
        (json!(["title", "items"]), true),
    ] {
        let inserted = sqlx::query(
            "INSERT INTO clinical.questionnaire_version (questionnaire_id, url, version, definition, sha256)
             VALUES ('x', 'x', '1', $1, sha256(convert_to($1::text, 'UTF8')))",
        )
        .bind(&definition)
        .execute(&mut superuser)
        .await;
        let code =
            inserted.as_ref().err().and_then(sqlx::Error::as_database_error).and_then(sqlx::error::DatabaseError::code);
        assert_eq!(code.as_deref(), refused.then_some("23514"), "{definition}");
    }
    database.drop().await?;
    Ok(())
}
