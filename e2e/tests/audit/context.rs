//! The context of a report is sealed too: the patient, the site, the window and the questionnaire.

use anyhow::Context;
use e2e::setup::{self, Window};
use e2e::{NURSE, PATIENT, seen, waiting};
use migrations::demo::SITES;
use serde_json::{Value, json};
use sqlx::Connection;
use testkit::stack::Service;
use uuid::Uuid;

use super::{execute, sealing, verify};

#[tokio::test]
async fn who_a_report_is_about_and_where_changes_by_events_that_say_what_was() -> anyhow::Result<()> {
    let stack = sealing().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let report_id = e2e::submitted(&client, &patient, PATIENT).await?;
    let mut administrator = stack.database.connect().await?;
    let changes = format!(
        "SET epro.reason = 'A slip of the pen.';
         UPDATE clinical.enrolment SET subject_code = 'BER-900' WHERE person_id = '{}';
         UPDATE clinical.site SET name = 'Another name' WHERE site_id = '{}';
         UPDATE clinical.study SET title = 'Another title'",
        PATIENT.id, PATIENT.site
    );
    execute(&mut administrator, &changes).await?;
    e2e::submitted(&client, &patient, PATIENT).await?;

    let trail = seen(&client, &nurse, &format!("/v1/reports/{report_id}/audit")).await?;
    let events = trail["events"].as_array().cloned().unwrap_or_default();
    let told: Vec<_> = events.iter().map(|event| (&event["action"], &event["changes"])).collect();
    let kind = json!("enrolment.change");
    assert_eq!(told[0], (&json!("report.create"), &Value::Null));
    assert_eq!(told[1], (&kind, &json!({"enrolment": {"subject_code": ["BER-001", "BER-900"]}})));
    assert_eq!(told[2].1["site"]["name"][1], "Another name");
    assert_eq!(told[3], (&kind, &json!({"study": {"title": ["Demonstration study", "Another title"]}})));
    assert_eq!(told.len(), 4, "{trail}");
    for event in &events[1..] {
        assert_eq!((event.get("actor_id"), &event["reason"]), (None, &json!("A slip of the pen.")));
        assert!(event["actor_role"].is_string(), "{event}");
    }
    assert_eq!(events[1]["before_hash"], events[0]["context_hash"]);
    let (status, said) = verify(&stack, &[]).await?;
    assert_eq!(status, Some(0), "{said}");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_patient_who_changes_sites_while_the_new_one_gets_another_name_is_not_missed() -> anyhow::Result<()> {
    let stack = sealing().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    e2e::submitted(&client, &patient, PATIENT).await?;
    let (mut first, mut second) = (stack.database.connect().await?, stack.database.connect().await?);
    let (from, to) = (PATIENT.site, SITES.iter().find(|site| site.id != PATIENT.site).context("another site")?.id);
    let mut moved = first.begin().await?;
    execute(&mut moved, &format!("UPDATE clinical.enrolment SET site_id = '{to}' WHERE person_id = '{}'", PATIENT.id))
        .await?;
    let rename = format!("UPDATE clinical.site SET name = 'Another name' WHERE site_id = '{to}'");
    let (renamed, committed) = tokio::join!(execute(&mut second, &rename), async {
        waiting(&stack, 1).await?;
        moved.commit().await?;
        anyhow::Ok(())
    });
    renamed?;
    committed?;
    let (status, said) = verify(&stack, &[]).await?;
    assert_eq!(status, Some(0), "{from} to {to}: {said}");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_report_is_not_given_another_meaning_behind_the_trail() -> anyhow::Result<()> {
    let mut stack = sealing().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let assignment_id = setup::schedule(&stack, PATIENT.assignment, &[Window::open()]).await?;
    let report_id = client.submit_new(&token, assignment_id).await?.expect_status(201)?.text("report_id")?;
    let mut forger = stack.database.connect().await?;
    let enrolment: Uuid = sqlx::query_scalar("SELECT enrolment_id FROM clinical.enrolment WHERE person_id = $1")
        .bind(PATIENT.id)
        .fetch_one(&mut forger)
        .await?;
    // Even the superuser can only do this with triggers off.
    let frozen = format!("UPDATE clinical.assignment SET first_day = 9 WHERE assignment_id = '{assignment_id}'");
    assert!(execute(&mut forger, &frozen).await.is_err());
    super::all_sealed(&stack).await?;
    stack.terminate(Service::DataSvc).await?;
    assert_eq!(verify(&stack, &[]).await?.0, Some(0));

    execute(&mut forger, "SET session_replication_role = replica").await?;
    let about = format!("who the reports are about, or where, was changed without an event: enrolment {enrolment}");
    let report = format!("a report or review was changed: enrolment {enrolment}, event 1, object {report_id}");
    let of = |column: &str, id: Uuid| format!("WHERE {column} = '{id}'");
    let (person, site, assigned) =
        (of("person_id", PATIENT.id), of("site_id", PATIENT.site), of("assignment_id", assignment_id));
    for (table, column, forged, row, expected) in [
        ("enrolment", "subject_code", "'BER-900'", &person, &about),
        ("enrolment", "time_zone", "'Asia/Tokyo'", &person, &about),
        ("enrolment", "site_id", "gen_random_uuid()", &person, &about),
        ("enrolment", "baseline_date", "baseline_date - 1", &person, &about),
        ("site", "name", "'Another'", &site, &about),
        ("study", "code", "'OTHER'", &String::new(), &about),
        ("assignment", "first_day", "first_day + 1", &assigned, &report),
        ("assignment", "sync_for", "sync_for + interval '1 day'", &assigned, &report),
        ("fill_window", "closes_at", "closes_at + interval '1 hour'", &assigned, &report),
        ("fill_window", "sync_until", "sync_until + interval '1 hour'", &assigned, &report),
        ("questionnaire_version", "version", "version || '.1'", &String::new(), &report),
    ] {
        execute(&mut forger, &format!("CREATE TEMPORARY TABLE saved AS TABLE clinical.{table}")).await?;
        execute(&mut forger, &format!("UPDATE clinical.{table} SET {column} = {forged} {row}")).await?;
        assert_eq!(verify(&stack, &[]).await?, (Some(1), expected.clone()), "{table}.{column}");
        let restore = format!(
            "DELETE FROM clinical.{table}; INSERT INTO clinical.{table} TABLE pg_temp.saved; DROP TABLE pg_temp.saved"
        );
        execute(&mut forger, &restore).await?;
    }
    assert_eq!(verify(&stack, &[]).await?.0, Some(0));
    stack.stop().await?;
    Ok(())
}
