use std::path::Path;

use e2e::{NURSE, PATIENT, with_long_timeouts};
use migrations::demo;
use testkit::client;
use testkit::stack::Service;

use super::driver;

/// The folder of the pictures. `UPDATE_PICTURES=1` makes them again.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/images/pages");

#[tokio::test]
async fn every_page_can_be_used_by_everybody_at_every_size_light_and_dark() -> anyhow::Result<()> {
    let builder = with_long_timeouts().env(Service::Gateway, "EPRO_WEB__DEMO_LOGINS", demo::logins());
    let stack = builder.start().await?;
    let Some(browser) = driver::open(stack.url(Service::Gateway)).await? else { return Ok(()) };
    let folder = std::env::var_os("UPDATE_PICTURES").map(|_| Path::new(FOLDER));

    browser.go("/").await?;
    browser.inspect("sign-in", folder).await?;
    browser.go("/activate").await?;
    browser.inspect("activate", folder).await?;

    browser.sign_in(PATIENT.login, PATIENT.pin).await?;
    browser.inspect("patient", folder).await?;
    browser.go(&format!("/assignments/{}", PATIENT.assignment)).await?;
    browser.choose("[data-link-id=pain] [value='9']").await?;
    browser.choose("[data-link-id=rescue] [value='true']").await?;
    browser.click("#send").await?;
    browser.wait_for_text("#summary", "mend").await?;
    browser.inspect("questionnaire", folder).await?;
    browser.fill("[data-link-id=rescue_doses] input", "2").await?;
    browser.fill("[data-link-id=temperature] input", "36,8").await?;
    browser.choose("#attested").await?;
    browser.click("#send").await?;
    browser.wait_for_text("#result", "Stored").await?;
    browser.inspect("stored", folder).await?;
    browser.go("/reports/not-an-id").await?;
    browser.inspect("error", folder).await?;
    browser.go("/").await?;
    browser.click("header form button").await?;

    let patient = stack.client().login(PATIENT.login, PATIENT.pin).await?;
    let stored =
        stack.client().submit(&patient, "calm", &client::report(PATIENT.assignment)).await?.expect_status(201)?;
    browser.sign_in(NURSE.login, NURSE.pin).await?;
    browser.inspect("nurse", folder).await?;
    browser.click(".urgent a").await?;
    browser.find("#audit").await?;
    browser.inspect("report", folder).await?;
    browser.go("/messages").await?;
    browser.inspect("messages", folder).await?;
    browser.go("/traces").await?;
    browser.inspect("traces", folder).await?;
    let trace_id = stored.trace_id().unwrap_or_default();
    stack.otlp.wait_for(&trace_id, e2e::DEADLINE, |trace| trace.spans.len() > 30).await?;
    browser.go(&format!("/traces/{trace_id}")).await?;
    browser.find("#verdict").await?;
    browser.inspect("trace", folder).await?;
    browser.close().await?;
    stack.stop().await?;
    Ok(())
}
