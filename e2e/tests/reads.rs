//! Who may see what.

use std::collections::BTreeSet;

use anyhow::Context;
use e2e::setup::{self, Window};
use e2e::{NEIGHBOUR, NURSE, OTHER_NURSE, PATIENT, amendment, problem, seen, submitted};
use migrations::demo::STUDY;
use serde_json::{Value, json};
use testkit::client::{Client, Token, report};
use testkit::stack::Stack;
use uuid::Uuid;

#[tokio::test]
async fn a_report_is_seen_by_its_patient_and_the_nurses_of_its_site_alone() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let sent = report(PATIENT.assignment);
    let submitted = client.submit(&patient, "key", &sent).await?.expect_status(201)?;
    let path = format!("/v1/reports/{}", submitted.json()["report_id"].as_str().unwrap_or_default());
    assert_eq!(submitted.header("location"), Some(path.as_str()));

    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    for token in [&patient, &nurse] {
        let seen = seen(&client, token, &path).await?;
        assert_eq!(seen["answers"], sent["answers"]);
        assert_eq!(seen["revision"], 1);
    }
    let stranger = client.login(NEIGHBOUR.login, NEIGHBOUR.pin).await?;
    let other_nurse = client.login(OTHER_NURSE.login, OTHER_NURSE.pin).await?;
    for token in [&stranger, &other_nurse] {
        let hidden = client.get(&path, Some(token)).await?.expect_status(404)?;
        let unknown = client.get(&format!("/v1/reports/{}", Uuid::new_v4()), Some(token)).await?.expect_status(404)?;
        assert_eq!(hidden.json()["type"], unknown.json()["type"], "hidden and unknown look the same");
    }
    client.get(&path, None).await?.expect_status(401)?;
    client.get("/v1/reports/42", Some(&patient)).await?.expect_status(400)?;
    stack.stop().await?;
    Ok(())
}

/// The study as one nurse sees it: her only site.
async fn site(client: &Client, nurse: &Token) -> anyhow::Result<Value> {
    let study = seen(client, nurse, &format!("/v1/studies/{STUDY}")).await?;
    assert_eq!((&study["study_id"], &study["code"]), (&json!(STUDY), &json!("DEMO-1")));
    assert_eq!(study["title"], "Demonstration study");
    let sites = study["sites"].as_array().cloned().unwrap_or_default();
    assert_eq!(sites.len(), 1);
    Ok(sites[0].clone())
}

#[tokio::test]
async fn a_nurse_sees_her_study_with_her_own_sites_counts() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let other_nurse = client.login(OTHER_NURSE.login, OTHER_NURSE.pin).await?;
    let first = submitted(&client, &patient, PATIENT).await?;
    submitted(&client, &patient, PATIENT).await?;
    client.amend(&patient, &first, "\"1\"", &amendment()).await?.expect_status(201)?;
    let enrolled: i64 = sqlx::query_scalar("SELECT count(*) FROM clinical.enrolment WHERE site_id = $1")
        .bind(PATIENT.site)
        .fetch_one(&mut stack.database.connect().await?)
        .await?;
    let counts = |site: &Value| ["code", "enrolments", "reports", "pending_reviews"].map(|count| site[count].clone());
    let berlin = site(&client, &nurse).await?;
    assert_eq!(counts(&berlin), [json!("BER"), json!(enrolled), json!(2), json!(2)]);
    assert_eq!((&berlin["site_id"], &berlin["time_zone"]), (&json!(PATIENT.site), &json!("Europe/Berlin")));
    let boston = site(&client, &other_nurse).await?;
    assert_eq!(
        (&boston["code"], &boston["reports"], &boston["pending_reviews"]),
        (&json!("BOS"), &json!(0), &json!(0))
    );

    let pending = seen(&client, &nurse, &format!("/v1/sites/{}/reports?review=pending", PATIENT.site)).await?;
    let newest = pending["reports"][0]["report_id"].as_str().unwrap_or_default().to_owned();
    client.review(&nurse, &newest, "approved").await?.expect_status(201)?;
    assert_eq!(site(&client, &nurse).await?["pending_reviews"], 1);

    setup::close_study(&stack, setup::now()).await?;
    let closed = seen(&client, &nurse, &format!("/v1/studies/{STUDY}")).await?;
    assert!(closed["closed_at"].is_string(), "{closed}");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_study_is_answered_at_its_former_path_in_the_same_way() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    for of in ["", "/untold-reports"] {
        let study = seen(&client, &nurse, &format!("/v1/studies/{STUDY}{of}")).await?;
        assert_eq!(seen(&client, &nurse, &format!("/v1/projects/{STUDY}{of}")).await?, study);
        let unknown = client.get(&format!("/v1/projects/{}{of}", Uuid::new_v4()), Some(&nurse)).await?;
        problem(&unknown, 404, "study-not-found")?;
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_nurse_of_two_sites_sees_both_until_she_leaves_one() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(OTHER_NURSE.login, OTHER_NURSE.pin).await?;
    let id = submitted(&client, &patient, PATIENT).await?;
    let paths =
        [format!("/v1/reports/{id}"), format!("/v1/reports/{id}/audit"), format!("/v1/sites/{}/reports", PATIENT.site)];
    let codes = async || {
        let study = seen(&client, &nurse, &format!("/v1/studies/{STUDY}")).await?;
        let sites = study["sites"].as_array().cloned().unwrap_or_default();
        anyhow::Ok(sites.iter().map(|site| site["code"].clone()).collect::<Vec<_>>())
    };
    let mut database = stack.database.connect().await?;
    sqlx::query("INSERT INTO identity.site_membership (site_id, person_id) VALUES ($1, $2)")
        .bind(PATIENT.site)
        .bind(OTHER_NURSE.id)
        .execute(&mut database)
        .await?;
    assert_eq!(codes().await?, ["BER", "BOS"]);
    for path in &paths {
        seen(&client, &nurse, path).await?;
    }
    sqlx::query("DELETE FROM identity.site_membership WHERE site_id = $1 AND person_id = $2")
        .bind(PATIENT.site)
        .bind(OTHER_NURSE.id)
        .execute(&mut database)
        .await?;
    assert_eq!(codes().await?, ["BOS"]);
    for path in &paths {
        client.get(path, Some(&nurse)).await?.expect_status(404)?;
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn compliance_is_the_share_of_closed_windows_with_a_report() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let counts =
        |site: &Value| [&site["windows_closed"], &site["windows_answered"]].map(|count| count.as_i64().unwrap_or(-1));
    setup::windows_made(&stack).await?;
    let before = site(&client, &nurse).await?;
    let [closed, answered] = counts(&before);
    assert_eq!(before.get("compliance").is_none(), closed == 0, "{before}");

    let windows =
        [Window::minutes(-90, -60, 60), Window::minutes(-60, -30, 60), Window::minutes(-30, -20, 60), Window::open()];
    let assignment_id = setup::schedule(&stack, PATIENT.assignment, &windows).await?;
    for window in [windows[0], windows[3]] {
        let mut body = report(assignment_id);
        body["captured_at"] = json!(setup::text(window.opens_at));
        let id =
            client.submit(&patient, &Uuid::new_v4().to_string(), &body).await?.expect_status(201)?.text("report_id")?;
        // A revision more is no answer more.
        client.amend(&patient, &id, "\"1\"", &amendment()).await?.expect_status(201)?;
    }
    let after = site(&client, &nurse).await?;
    assert_eq!(counts(&after), [closed + 3, answered + 1], "the window that is still open does not count");
    let share = f64::from(u32::try_from(answered + 1)?) / f64::from(u32::try_from(closed + 3)?);
    assert!(after["compliance"].as_f64().is_some_and(|compliance| (compliance - share).abs() < 1e-9), "{after}");
    stack.stop().await?;
    Ok(())
}

/// The ids of a page, and where the next one starts.
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
    // Five that arrived at the same moment.
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
        // What was there when the first page was read; earlier rounds have added some.
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
    // Another's cursor shows nothing that is not one's own.
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

#[tokio::test]
async fn a_questionnaire_is_read_in_the_language_that_is_wanted_most_of_those_there_are() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let diary = "/v1/questionnaires/daily-symptom-diary/versions/1.0";
    let read = async |wanted: &str| client.get_in(diary, &patient, wanted).await?.expect_status(200);
    let original = client.get(diary, Some(&patient)).await?.expect_status(200)?.json();
    for (wanted, language, title) in [
        ("de", "de", "Tägliches Symptomtagebuch"),
        ("de-AT, en;q=0.9", "de", "Tägliches Symptomtagebuch"),
        ("fr, de;q=0.5", "de", "Tägliches Symptomtagebuch"),
        ("en, de;q=0.9", "en", "Daily symptom diary"),
        ("fr", "en", "Daily symptom diary"),
        (";;q=,", "en", "Daily symptom diary"),
    ] {
        let answer = read(wanted).await?;
        assert_eq!(answer.header("content-language"), Some(language), "{wanted}");
        assert_eq!(answer.header("vary"), Some("accept-language"));
        let questionnaire = answer.json();
        assert_eq!(
            (&questionnaire["language"], &questionnaire["definition"]["title"]),
            (&json!(language), &json!(title))
        );
        assert_eq!(questionnaire["sha256"], original["sha256"], "it is the same instrument");
    }
    let mut german = read("de").await?.json();
    assert_eq!(german["definition"]["items"][2]["text"], "Wie viele Dosen?");
    for (name, text) in [("title", "title"), ("copyright", "copyright")] {
        german["definition"][name] = original["definition"][text].clone();
    }
    for (index, item) in original["definition"]["items"].as_array().into_iter().flatten().enumerate() {
        german["definition"]["items"][index]["text"] = item["text"].clone();
    }
    assert_eq!(german["definition"], original["definition"], "nothing but texts is another");

    submitted(&client, &patient, PATIENT).await?;
    for path in ["/v1/me/assignments", "/v1/reports"] {
        let said = client.get_in(path, &patient, "de").await?.expect_status(200)?.json().to_string();
        assert!(said.contains("Tägliches Symptomtagebuch") && !said.contains("Daily symptom diary"), "{said}");
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_nurse_is_told_where_she_works() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let study = json!({"study_id": STUDY, "code": "DEMO-1", "title": "Demonstration study"});
    let berlin = json!({
        "site_id": NURSE.site, "code": "BER", "name": "Berlin", "time_zone": "Europe/Berlin", "study": study,
    });
    assert_eq!(seen(&client, &nurse, "/v1/me/sites").await?, json!({"sites": [berlin]}));
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    problem(&client.get("/v1/me/sites", Some(&patient)).await?, 403, "wrong-role")?;
    stack.stop().await?;
    Ok(())
}
