//! The messages that were sent: the journals of Mailpit and of the SMS provider's test double.

use anyhow::Context;
use reqwest::Client;
use serde_json::Value;
use testkit::client::plain_http;

/// A received mail.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) to: Vec<String>,
    /// Headers and body.
    pub(super) everything: String,
}

/// Mailpit's HTTP API.
pub(super) struct Mailpit {
    base_url: String,
    http: Client,
}

impl Mailpit {
    pub(super) fn new(base_url: &str) -> Self {
        Self { base_url: base_url.to_owned(), http: plain_http() }
    }

    pub(super) async fn all(&self) -> anyhow::Result<Vec<Mail>> {
        let list = get(&self.http, &format!("{}/api/v1/messages?limit=1000", self.base_url)).await?;
        let list: Value = serde_json::from_str(&list)?;
        let mut mails = Vec::new();
        for message in list["messages"].as_array().context("Mailpit lists no messages")? {
            let id = message["ID"].as_str().unwrap_or_default();
            // The decoded text too, because the raw mail may be encoded.
            let raw = get(&self.http, &format!("{}/api/v1/message/{id}/raw", self.base_url)).await?;
            let decoded = get(&self.http, &format!("{}/api/v1/message/{id}", self.base_url)).await?;
            let to = message["To"].as_array().into_iter().flatten();
            mails.push(Mail {
                to: to.filter_map(|to| Some(to["Address"].as_str()?.to_owned())).collect(),
                everything: format!("{raw}\n{decoded}"),
            });
        }
        Ok(mails)
    }
}

/// A request to send an SMS.
#[derive(Debug)]
pub(super) struct Sms {
    pub(super) to: String,
    /// The status that it was answered with.
    pub(super) status: u64,
    pub(super) has_key: bool,
}

/// WireMock's journal.
pub(super) struct SmsProvider {
    base_url: String,
    http: Client,
}

impl SmsProvider {
    pub(super) fn new(base_url: &str) -> Self {
        Self { base_url: base_url.to_owned(), http: plain_http() }
    }

    /// Every request with its answer, as WireMock's JSON.
    pub(super) async fn everything(&self) -> anyhow::Result<String> {
        get(&self.http, &format!("{}/__admin/requests", self.base_url)).await
    }

    /// The messages about a report.
    pub(super) async fn about(&self, report_id: &str) -> anyhow::Result<Vec<Sms>> {
        let journal: Value = serde_json::from_str(&self.everything().await?)?;
        let requests = journal["requests"].as_array().context("WireMock lists no requests")?;
        Ok(requests.iter().filter(|entry| is_about(report_id, entry)).map(sms).collect())
    }
}

fn is_about(report_id: &str, entry: &Value) -> bool {
    entry["request"]["body"].as_str().is_some_and(|body| body.contains(report_id))
}

fn sms(entry: &Value) -> Sms {
    let body = entry["request"]["body"].as_str().unwrap_or_default();
    let to = url::form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "To");
    Sms {
        to: to.map(|(_, number)| number.into_owned()).unwrap_or_default(),
        status: entry["response"]["status"].as_u64().unwrap_or_default(),
        has_key: header(entry, "idempotency-key").is_some_and(|key| !key.is_empty()),
    }
}

fn header<'a>(entry: &'a Value, name: &str) -> Option<&'a str> {
    let headers = entry["request"]["headers"].as_object()?;
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_str()
}

async fn get(http: &Client, url: &str) -> anyhow::Result<String> {
    Ok(http.get(url).send().await.context("ask a journal")?.error_for_status()?.text().await?)
}
