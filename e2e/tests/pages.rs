//! The guarantees of pages and cookies, checked without a browser.

use e2e::{NURSE, PATIENT, with_long_timeouts};
use testkit::client::{self, Client, Response};
use testkit::stack::{Service, Stack};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const PAGE: (&str, &str) = ("accept", "text/html");
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const OURS: (&str, &str) = ("sec-fetch-site", "same-origin");

/// The cookies that an answer sets, as a browser sends them back.
fn cookies(answer: &Response) -> String {
    let set = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    set.filter_map(|cookie| cookie.split(';').next()).collect::<Vec<_>>().join("; ")
}

async fn sign_in(client: &Client, login: &str, pin: &str) -> anyhow::Result<Response> {
    client.raw("POST", "/sign-in", &[FORM, OURS], format!("login={login}&pin={pin}&next=/")).await
}

async fn signed_in(stack: &Stack) -> anyhow::Result<String> {
    Ok(cookies(&sign_in(&stack.client(), PATIENT.login, PATIENT.pin).await?.expect_status(303)?))
}

#[tokio::test]
async fn cookies_stand_for_a_token_in_requests_of_the_same_site_alone() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
    let client = stack.client();
    let cookies = signed_in(&stack).await?;
    let report = client::report(PATIENT.assignment).to_string();
    let submit = async |site: &str, key: &str| {
        let headers = [
            ("cookie", &*cookies),
            ("sec-fetch-site", site),
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        client.raw("POST", "/v1/reports", &headers, report.clone()).await
    };
    submit("same-origin", "one").await?.expect_status(201)?;
    for site in ["cross-site", "same-site"] {
        let refused = submit(site, site).await?.expect_status(403)?;
        assert_eq!(refused.text("type")?, "/problems/cross-site");
    }
    let headers = [("cookie", &*cookies), ("origin", "https://evil.example"), ("host", "study.example.org")];
    client.raw("POST", "/sign-out", &headers, "").await?.expect_status(403)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_session_goes_on_when_its_access_token_has_expired_and_ends_for_good_when_one_signs_out() -> anyhow::Result<()>
{
    let stack = with_long_timeouts().start().await?;
    let client = stack.client();
    let all = signed_in(&stack).await?;
    let refresh = all.split("; ").find(|cookie| cookie.starts_with("refresh=")).unwrap_or_default();
    // Like a browser that has dropped the expired session cookie.
    let again = client.raw("GET", "/v1/me/assignments", &[("cookie", refresh), OURS], "").await?.expect_status(200)?;
    let renewed = cookies(&again);
    assert!(renewed.contains("session=") && renewed.contains("refresh="), "{renewed}");
    // An answer that sets a cookie of its own must also set the new tokens, because the old refresh token is used up.
    let refresh = renewed.split("; ").find(|cookie| cookie.starts_with("refresh=")).unwrap_or_default();
    let choice = [FORM, OURS, ("cookie", refresh)];
    let chosen = client.raw("POST", "/language", &choice, "language=de&next=/").await?.expect_status(303)?;
    let renewed = cookies(&chosen);
    for name in ["language=de", "session=", "refresh="] {
        assert!(renewed.contains(name), "{renewed}");
    }
    let out = client.raw("POST", "/sign-out", &[("cookie", &renewed), OURS], "").await?.expect_status(303)?;
    assert_eq!(cookies(&out), "session=; refresh=");
    client.raw("GET", "/v1/me/assignments", &[("cookie", &renewed), OURS], "").await?.expect_status(401)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn whoever_may_not_see_a_page_is_asked_to_sign_in_or_told_so_on_a_page() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
    let client = stack.client();
    for path in ["/", "/messages", "/traces", "/assignments/a551a9e0-1d1a-4f00-8000-000000000001"] {
        let answer = client.raw("GET", path, &[PAGE], "").await?.expect_status(303)?;
        assert!(answer.header("location").is_some_and(|to| to.starts_with("/sign-in?next=%2F")), "{path}");
    }
    let nothing = client.raw("GET", "/nothing", &[PAGE], "").await?.expect_status(404)?;
    assert!(String::from_utf8_lossy(&nothing.body).contains("There is nothing here"));
    let cookies = signed_in(&stack).await?;
    for path in ["/messages", "/traces", "/traces/4bf92f3577b34da6a3ce929d0e0e4736"] {
        let answer = client.raw("GET", path, &[PAGE, ("cookie", &cookies)], "").await?.expect_status(403)?;
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        let page = String::from_utf8_lossy(&answer.body);
        assert!(page.contains("Your role may not do this."), "{page}");
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_wrong_pin_is_told_on_the_page_and_guessing_is_slowed_down() -> anyhow::Result<()> {
    let stack = with_long_timeouts().env(Service::Gateway, "EPRO_RATE_LIMITS__LOGIN__PER_MINUTE", "1");
    let stack = stack.env(Service::Gateway, "EPRO_RATE_LIMITS__LOGIN__BURST", "2").start().await?;
    let client = stack.client();
    for _ in 0..2 {
        let wrong = sign_in(&client, NURSE.login, "000000").await?.expect_status(401)?;
        assert!(String::from_utf8_lossy(&wrong.body).contains("Login or PIN is wrong"));
        assert_eq!(cookies(&wrong), "");
    }
    sign_in(&client, NURSE.login, NURSE.pin).await?.expect_status(429)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn pages_run_no_script_but_their_own_and_are_kept_by_no_cache() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
    let page = stack.client().raw("GET", "/sign-in", &[PAGE], "").await?.expect_status(200)?;
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let script = stack.client().get("/assets/page.js", None).await?.expect_status(200)?;
    assert_eq!(script.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    stack.client().get("/assets/none.js", None).await?.expect_status(404)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn only_who_is_signed_in_can_tell_of_spans_and_only_of_such_as_can_have_been() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
    let client = stack.client();
    let cookies = signed_in(&stack).await?;
    let now = chrono::Utc::now().timestamp_micros();
    let told = |trace: &str, start: i64| {
        format!(
            r#"{{"trace_id":"{trace}","span_id":"00f067aa0ba902b7",
             "attempts":[{{"span_id":"00f067aa0ba902b8","start":{start},"end":{now}}}]}}"#
        )
    };
    let tell = async |body: String| {
        let headers = [("cookie", &*cookies), OURS, ("content-type", "application/json")];
        anyhow::Ok(client.raw("POST", "/web/spans", &headers, body).await?.status)
    };
    assert_eq!(tell(told(TRACE, now - 1000)).await?, 204);
    for body in [
        told(TRACE, now - 3_600_000_000),
        told(TRACE, now + 1000),
        told("00000000000000000000000000000000", now - 1000),
        told("patient", now - 1000),
        told(TRACE, now - 1000).replace("\"end\"", "\"name\":\"x\",\"end\""),
        "{}".to_owned(),
    ] {
        assert_eq!(tell(body.clone()).await?, 400, "{body}");
    }
    let headers = [OURS, ("content-type", "application/json")];
    client.raw("POST", "/web/spans", &headers, told(TRACE, now - 1000)).await?.expect_status(401)?;
    stack.stop().await?;
    Ok(())
}
