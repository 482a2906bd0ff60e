//! Who may see what.

mod pages;

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

/// The only site of the study that this nurse sees.
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
    for (of, formerly) in [("", ""), ("/unnotified-reports", "/untold-reports")] {
        let study = seen(&client, &nurse, &format!("/v1/studies/{STUDY}{of}")).await?;
        assert_eq!(seen(&client, &nurse, &format!("/v1/projects/{STUDY}{formerly}")).await?, study);
        let unknown = client.get(&format!("/v1/projects/{}{formerly}", Uuid::new_v4()), Some(&nurse)).await?;
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
        // Another revision does not count as another report.
        client.amend(&patient, &id, "\"1\"", &amendment()).await?.expect_status(201)?;
    }
    let after = site(&client, &nurse).await?;
    assert_eq!(counts(&after), [closed + 3, answered + 1], "the window that is still open does not count");
    let share = f64::from(u32::try_from(answered + 1)?) / f64::from(u32::try_from(closed + 3)?);
    assert!(after["compliance"].as_f64().is_some_and(|compliance| (compliance - share).abs() < 1e-9), "{after}");
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
