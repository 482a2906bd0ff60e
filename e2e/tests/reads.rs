//! Who may see what.

use e2e::{NURSE, OTHER_NURSE, PATIENT};
use migrations::demo::{PATIENTS, STUDY};
use serde_json::json;
use testkit::client::report;
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
        let seen = client.get(&path, Some(token)).await?.expect_status(200)?.json();
        assert_eq!(seen["answers"], sent["answers"]);
        assert_eq!(seen["revision"], 1);
    }
    let stranger = client.login(PATIENTS[1].login, PATIENTS[1].pin).await?;
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

#[tokio::test]
async fn a_nurse_sees_her_study_with_her_own_sites_counts() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    client.submit_new(&patient, PATIENT.assignment).await?.expect_status(201)?;
    let path = format!("/v1/projects/{STUDY}");
    for (nurse, code, reports) in [(NURSE, "BER", 1), (OTHER_NURSE, "BOS", 0)] {
        let token = client.login(nurse.login, nurse.pin).await?;
        let project = client.get(&path, Some(&token)).await?.expect_status(200)?.json();
        assert_eq!(project["code"], "DEMO-1");
        let sites = project["sites"].as_array().cloned().unwrap_or_default();
        assert_eq!(sites.len(), 1);
        let site =
            json!({"code": sites[0]["code"], "enrolments": sites[0]["enrolments"], "reports": sites[0]["reports"]});
        assert_eq!(site, json!({"code": code, "enrolments": 2, "reports": reports}));
        client.get(&format!("/v1/projects/{}", Uuid::new_v4()), Some(&token)).await?.expect_status(404)?;
    }
    client.get(&path, Some(&patient)).await?.expect_status(403)?;
    stack.stop().await?;
    Ok(())
}
