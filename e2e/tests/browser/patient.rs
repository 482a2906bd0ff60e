use anyhow::{Context, ensure};
use e2e::{DEADLINE, NURSES_PER_SITE, PATIENT, with_long_timeouts};
use serde_json::{Value, json};
use testkit::contract;
use testkit::stack::{Service, Stack};
use testkit::trace::{Kind, Trace, span};

use super::driver::{self, Browser};

/// A stack, and a browser in which [`PATIENT`] looks at the diary.
async fn diary() -> anyhow::Result<Option<(Stack, Browser)>> {
    let stack = with_long_timeouts().start().await?;
    let Some(browser) = driver::open(stack.url(Service::Gateway)).await? else { return Ok(None) };
    browser.sign_in(PATIENT.login, PATIENT.pin).await?;
    browser.go(&format!("/assignments/{}", PATIENT.assignment)).await?;
    Ok(Some((stack, browser)))
}

async fn fill_in(browser: &Browser) -> anyhow::Result<()> {
    browser.choose("[data-link-id=pain] [value='3']").await?;
    browser.choose("[data-link-id=rescue] [value='true']").await?;
    browser.fill("[data-link-id=rescue_doses] input", "2").await?;
    browser.fill("[data-link-id=temperature] input", "36,8").await?;
    browser.fill("[data-link-id=note] textarea", "A quiet day.").await?;
    browser.choose("#attested").await
}

/// The patient's reports as the API shows them.
async fn reports(stack: &Stack) -> anyhow::Result<Vec<Value>> {
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let list = client.get("/v1/reports", Some(&patient)).await?.expect_status(200)?.json();
    let mut reports = Vec::new();
    for report in list["reports"].as_array().context("reports")? {
        let path = format!("/v1/reports/{}", report["report_id"].as_str().context("its id")?);
        reports.push(client.get(&path, Some(&patient)).await?.expect_status(200)?.json());
    }
    Ok(reports)
}

/// The id of a trace that a page shows.
async fn trace_id(browser: &Browser, selector: &str) -> anyhow::Result<String> {
    let shown = browser.text(selector).await?;
    shown.rsplit(' ').next().map(ToOwned::to_owned).context("a trace id")
}

#[tokio::test]
async fn a_report_that_is_filled_in_on_a_page_is_stored_as_it_was_answered_and_the_page_is_the_root_of_its_trace()
-> anyhow::Result<()> {
    let Some((stack, browser)) = diary().await? else { return Ok(()) };
    fill_in(&browser).await?;
    browser.click("#send").await?;
    browser.wait_for_text("#result", "Stored").await?;
    let [report] = &reports(&stack).await?[..] else { anyhow::bail!("not one report") };
    let answers = json!({"pain": 3, "rescue": true, "rescue_doses": 2, "temperature": 36.8, "note": "A quiet day."});
    assert_eq!(report["answers"], answers);

    let attempt = span("page", "POST /v1/reports", Kind::Client).child(contract::submit_report(NURSES_PER_SITE));
    let sending = span("page", "send report", Kind::Internal).child(attempt);
    let id = trace_id(&browser, "#result .trace").await?;
    let trace = stack.otlp.wait_for_shape(&id, DEADLINE, &sending).await?;
    let attempt = trace.spans.iter().find(|span| span.service == "page" && span.kind == Kind::Client);
    assert_eq!(attempt.context("the attempt")?.attributes["http.response.status_code"], json!(201));
    browser.close().await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_report_that_meets_no_network_stays_in_the_browser_and_is_stored_once_when_there_is_one() -> anyhow::Result<()>
{
    let Some((stack, browser)) = diary().await? else { return Ok(()) };
    fill_in(&browser).await?;
    browser.be_offline(true).await?;
    browser.click("#send").await?;
    browser.wait_for_text("#result", "kept on this device").await?;
    assert_eq!(reports(&stack).await?.len(), 0);
    browser.be_offline(false).await?;
    browser.wait_for_text("#outbox", "stored now").await?;
    assert_eq!(reports(&stack).await?.len(), 1);
    assert_eq!(browser.script("return localStorage.getItem('epro.outbox')").await?, json!("[]"));

    let id = trace_id(&browser, "#outbox code").await?;
    let complete = |trace: &Trace| {
        ["send report", "deliver notification"].iter().all(|name| trace.spans.iter().any(|span| span.name == *name))
    };
    let trace = stack.otlp.wait_for(&id, DEADLINE, complete).await?;
    ensure!(trace.roots().len() == 1, "{trace}");
    let attempts: Vec<_> =
        trace.spans.iter().filter(|span| span.service == "page" && span.kind == Kind::Client).collect();
    let (last, before) = attempts.split_last().context("attempts")?;
    ensure!(
        !before.is_empty() && before.iter().all(|attempt| attempt.attributes["error.type"] == "network"),
        "{trace}"
    );
    assert_eq!(last.attributes["http.request.resend_count"], json!(before.len()));
    browser.close().await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_report_whose_answer_was_lost_is_sent_again_under_the_same_key() -> anyhow::Result<()> {
    let Some((stack, browser)) = diary().await? else { return Ok(()) };
    fill_in(&browser).await?;
    // The first answer is lost before it reaches the page.
    browser
        .script(
            "const real = window.fetch; let lost = false; window.fetch = async (path, options) => { \
             const answer = await real(path, options); \
             if (path === '/v1/reports' && !lost) { lost = true; throw new TypeError('cut'); } return answer; }",
        )
        .await?;
    browser.click("#send").await?;
    browser.wait_for_text("#outbox", "stored now").await?;
    assert_eq!(reports(&stack).await?.len(), 1);
    browser.close().await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn only_what_is_asked_is_shown_and_what_is_wrong_is_told_beside_it() -> anyhow::Result<()> {
    let Some((stack, browser)) = diary().await? else { return Ok(()) };
    let doses = "return document.querySelector('[data-link-id=rescue_doses]').hidden";
    assert_eq!(browser.script(doses).await?, json!(true));
    browser.choose("[data-link-id=rescue] [value='true']").await?;
    assert_eq!(browser.script(doses).await?, json!(false));
    browser.fill("[data-link-id=temperature] input", "12").await?;
    browser.click("#send").await?;
    for (item, told) in [("pain", "answer"), ("rescue_doses", "answer"), ("temperature", "Between 34 and 43")] {
        browser.wait_for_text(&format!("[data-link-id={item}] .error"), told).await?;
    }
    browser.wait_for_text("#attested-error", "confirm").await?;
    browser.choose("[data-link-id=rescue] [value='false']").await?;
    assert_eq!(browser.script(doses).await?, json!(true));
    assert_eq!(reports(&stack).await?.len(), 0);
    browser.close().await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_the_gateway_refuses_is_shown_beside_the_item_with_its_trace() -> anyhow::Result<()> {
    let Some((stack, browser)) = diary().await? else { return Ok(()) };
    fill_in(&browser).await?;
    // Simulates a page with weaker checks than the gateway.
    browser.script("document.querySelector('[data-link-id=temperature]').dataset.max = 99").await?;
    browser.fill("[data-link-id=temperature] input", "55").await?;
    browser.click("#send").await?;
    browser.wait_for_text("[data-link-id=temperature] .error", "Between").await?;
    let trace = browser.text("#summary .trace").await?;
    ensure!(trace.len() > 32, "{trace}");
    assert_eq!(browser.script("return localStorage.getItem('epro.outbox')").await?, json!("[]"));
    browser.close().await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_first_page_is_small_and_asks_nobody_else_for_anything() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
    let Some(browser) = driver::open(stack.url(Service::Gateway)).await? else { return Ok(()) };
    browser.go("/").await?;
    let loaded = "const entries = [...performance.getEntriesByType('navigation'), \
                  ...performance.getEntriesByType('resource')]; \
                  return [entries.reduce((sum, entry) => sum + entry.transferSize, 0), \
                  entries.every((entry) => entry.name.startsWith(location.origin))]";
    let loaded = browser.script(loaded).await?;
    ensure!(loaded[0].as_u64().is_some_and(|bytes| (1_000..=60_000).contains(&bytes)), "{loaded} bytes");
    assert_eq!(loaded[1], json!(true));
    eprintln!("the first page is {} bytes over the wire", loaded[0]);
    browser.close().await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_page_speaks_the_language_that_was_chosen() -> anyhow::Result<()> {
    let Some((stack, browser)) = diary().await? else { return Ok(()) };
    browser.go("/").await?;
    browser.click("footer button[lang=de]").await?;
    browser.wait_for_text("h1", "Was ansteht").await?;
    browser.wait_for_text(".cards h2", "Tägliches Symptomtagebuch").await?;
    browser.go(&format!("/assignments/{}", PATIENT.assignment)).await?;
    browser.wait_for_text("form .item", "Stärkster Schmerz").await?;
    browser.go("/").await?;
    browser.click("footer button[lang=en]").await?;
    browser.wait_for_text("h1", "What is due").await?;
    browser.close().await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn no_script_can_read_a_token() -> anyhow::Result<()> {
    let Some((stack, browser)) = diary().await? else { return Ok(()) };
    assert_eq!(browser.script("return document.cookie").await?, json!(""));
    browser.close().await?;
    stack.stop().await?;
    Ok(())
}
