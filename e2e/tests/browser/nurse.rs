use anyhow::{Context, ensure};
use e2e::{DEADLINE, NURSE, PATIENT, with_long_timeouts};
use serde_json::json;
use testkit::client;
use testkit::stack::Service;

use super::driver;

#[tokio::test]
async fn a_nurse_sees_urgent_reports_first_reviews_one_and_follows_its_trace() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
    let Some(browser) = driver::open(stack.url(Service::Gateway)).await? else { return Ok(()) };
    let patient = stack.client().login(PATIENT.login, PATIENT.pin).await?;
    let mut urgent = client::report(PATIENT.assignment);
    urgent["answers"]["pain"] = json!(9);
    let urgent = stack.client().submit(&patient, "urgent", &urgent).await?.expect_status(201)?;
    stack.client().submit(&patient, "calm", &client::report(PATIENT.assignment)).await?.expect_status(201)?;

    browser.sign_in(NURSE.login, NURSE.pin).await?;
    let list = "return [...document.querySelectorAll('.cards > li')].map((row) => row.classList.contains('urgent'))";
    assert_eq!(browser.script(list).await?, json!([true, false]), "the newer one is not urgent");

    browser.click(".urgent a").await?;
    browser.wait_for_text("#alerts ~ ul", "severe-pain").await?;
    let report = browser.path().await?;
    browser.click("button[name=outcome][value=approved]").await?;
    browser.wait_for_text(".wide table", "report.review").await?;
    assert_eq!(browser.path().await?, report);
    browser.go("/").await?;
    assert_eq!(browser.script(list).await?, json!([false]));

    let id = urgent.trace_id().context("the submission's trace")?;
    stack.otlp.wait_for(&id, DEADLINE, |trace| trace.spans.iter().any(|span| span.name == "SMTP submit")).await?;
    browser.go(&report).await?;
    browser.click(&format!("a[href='/traces/{id}']")).await?;
    browser.find("#verdict").await?;
    let picture = browser.script("return document.querySelector('.waterfall').naturalWidth").await?;
    ensure!(picture.as_u64().is_some_and(|width| width > 300), "the picture is {picture} pixels wide");
    browser.close().await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn support_finds_a_trace_by_what_somebody_pastes() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
    let Some(browser) = driver::open(stack.url(Service::Gateway)).await? else { return Ok(()) };
    let patient = stack.client().login(PATIENT.login, PATIENT.pin).await?;
    let mut wrong = client::report(PATIENT.assignment);
    wrong["answers"]["pain"] = json!(11);
    let refused = stack.client().submit(&patient, "wrong", &wrong).await?.expect_status(422)?;
    let id = refused.trace_id().context("its trace")?;
    stack.otlp.wait_for(&id, DEADLINE, |trace| trace.spans.len() >= 9).await?;

    browser.sign_in(NURSE.login, NURSE.pin).await?;
    browser.go("/traces").await?;
    browser.fill("#id", &String::from_utf8_lossy(&refused.body)).await?;
    browser.click("form.card button").await?;
    browser.wait_for_text("#verdict ~ p", "refused the request").await?;
    assert_eq!(browser.path().await?, format!("/traces/{id}"));
    browser.go("/traces").await?;
    browser.fill("#id", "my submission failed").await?;
    browser.click("form.card button").await?;
    browser.find("#unreadable").await?;
    browser.close().await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_link_in_a_mail_leads_to_the_report_after_signing_in() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
    let Some(browser) = driver::open(stack.url(Service::Gateway)).await? else { return Ok(()) };
    let patient = stack.client().login(PATIENT.login, PATIENT.pin).await?;
    let stored = stack.client().submit_new(&patient, PATIENT.assignment).await?.expect_status(201)?;
    let path = format!("/reports/{}", stored.text("report_id")?);
    browser.go(&path).await?;
    assert_eq!(browser.path().await?, "/sign-in");
    browser.fill("#login", NURSE.login).await?;
    browser.fill("#pin", NURSE.pin).await?;
    browser.click("form.card button").await?;
    browser.find("#audit").await?;
    assert_eq!(browser.path().await?, path);
    browser.close().await?;
    stack.stop().await?;
    Ok(())
}
