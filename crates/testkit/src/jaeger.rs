//! What Jaeger has stored, by its HTTP API.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use reqwest::StatusCode;
use serde_json::Value;

use crate::client::plain_http;
use crate::poll;
use crate::trace::{Trace, read};

/// Traces that [`Jaeger::everything_of`] asks for at most.
const TRACES: &str = "1000";

/// A Jaeger's query service.
#[derive(Debug, Clone)]
pub struct Jaeger {
    base_url: String,
    http: reqwest::Client,
}

impl Jaeger {
    /// `base_url` is the UI's, such as `http://127.0.0.1:16686`.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self { base_url: base_url.into(), http: plain_http() }
    }

    /// One trace as far as it has been stored; perhaps without spans. The id is hexadecimal.
    ///
    /// # Errors
    /// When Jaeger cannot be asked or its answer is no trace.
    pub async fn trace(&self, trace_id: &str) -> anyhow::Result<Trace> {
        let url = format!("{}/api/v3/traces/{trace_id}", self.base_url);
        let response = self.http.get(url).send().await.context("ask Jaeger")?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(Trace::default());
        }
        ensure!(response.status().is_success(), "Jaeger answered {}", response.status());
        one(&response.bytes().await?)
    }

    /// Waits until `complete` holds for the trace; gives what there is when the deadline passes first.
    ///
    /// # Errors
    /// When Jaeger cannot be asked.
    pub async fn wait_for(
        &self,
        trace_id: &str,
        deadline: Duration,
        complete: impl Fn(&Trace) -> bool,
    ) -> anyhow::Result<Trace> {
        poll::until(deadline, async || self.trace(trace_id).await, complete).await
    }

    /// The services that Jaeger knows of.
    ///
    /// # Errors
    /// When Jaeger cannot be asked or its answer is none of its own.
    pub async fn services(&self) -> anyhow::Result<Vec<String>> {
        let url = format!("{}/api/services", self.base_url);
        let response = self.http.get(url).send().await.context("ask Jaeger")?.error_for_status()?;
        let answer: Value = response.json().await.context("read Jaeger's answer")?;
        let services = answer["data"].as_array().into_iter().flatten();
        Ok(services.filter_map(|service| Some(service.as_str()?.to_owned())).collect())
    }

    /// The newest traces that a service has taken part in since a time, as many as `most`.
    ///
    /// # Errors
    /// When Jaeger cannot be asked or its answer is none of its own.
    pub async fn traces_since(&self, service: &str, since: SystemTime, most: usize) -> anyhow::Result<Vec<Trace>> {
        let microseconds =
            |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros().to_string();
        let (start, end) = (microseconds(since), microseconds(SystemTime::now()));
        let query = [("service", service), ("start", &start), ("end", &end), ("limit", &most.to_string())];
        let url = reqwest::Url::parse_with_params(&format!("{}/api/traces", self.base_url), query)?;
        let response = self.http.get(url).send().await.context("ask Jaeger")?.error_for_status()?;
        read::traces(&response.bytes().await?).context("read Jaeger's answer")
    }

    /// How many of the newest traces of a service Jaeger has, and what it warns of in them, such as clocks that differ.
    ///
    /// # Errors
    /// When Jaeger cannot be asked or its answer is none of its own.
    pub async fn warnings_of(&self, service: &str) -> anyhow::Result<(usize, Vec<String>)> {
        let traces = read::traces(self.everything_of(service).await?.as_bytes()).context("read Jaeger's answer")?;
        let spans = traces.iter().flat_map(|trace| &trace.spans);
        Ok((traces.len(), spans.flat_map(|span| span.warnings.clone()).collect()))
    }

    /// The newest traces that a service took part in, as Jaeger's own JSON. For tests that look for what
    /// must not be there.
    ///
    /// # Errors
    /// When Jaeger cannot be asked.
    pub async fn everything_of(&self, service: &str) -> anyhow::Result<String> {
        let url = format!("{}/api/traces?service={service}&limit={TRACES}", self.base_url);
        let response = self.http.get(url).send().await.context("ask Jaeger")?.error_for_status()?;
        Ok(response.text().await?)
    }
}

/// The one trace of an answer; perhaps without spans.
fn one(body: &[u8]) -> anyhow::Result<Trace> {
    let spans = read::traces(body).context("read Jaeger's answer")?.into_iter().flat_map(|trace| trace.spans);
    Ok(Trace::new(spans.collect()))
}
