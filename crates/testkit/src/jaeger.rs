//! Reads what Jaeger has stored, by its HTTP API.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use reqwest::StatusCode;
use serde_json::Value;

use crate::client::plain_http;
use crate::poll;
use crate::trace::{Trace, read};

/// The most traces that [`Jaeger::everything_of`] asks for.
const TRACES: &str = "1000";

/// The most traces of one query. So many make an answer of some 30 MB.
const MOST_OF_A_TIME: usize = 500;

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

    /// One trace as far as it has been stored; may be without spans. The id is hexadecimal.
    ///
    /// # Errors
    /// When Jaeger cannot be reached or its answer is not a trace.
    pub async fn trace(&self, trace_id: &str) -> anyhow::Result<Trace> {
        let url = format!("{}/api/v3/traces/{trace_id}", self.base_url);
        let response = self.http.get(url).send().await.context("ask Jaeger")?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(Trace::default());
        }
        ensure!(response.status().is_success(), "Jaeger answered {}", response.status());
        one(&response.bytes().await?)
    }

    /// Waits until `complete` holds for the trace. Returns what there is when the deadline passes first.
    ///
    /// # Errors
    /// When Jaeger cannot be reached.
    pub async fn wait_for(
        &self,
        trace_id: &str,
        deadline: Duration,
        complete: impl Fn(&Trace) -> bool,
    ) -> anyhow::Result<Trace> {
        poll::until(deadline, async || self.trace(trace_id).await, complete).await
    }

    /// The services that Jaeger knows.
    ///
    /// # Errors
    /// When Jaeger cannot be reached or its answer cannot be read.
    pub async fn services(&self) -> anyhow::Result<Vec<String>> {
        let url = format!("{}/api/services", self.base_url);
        let response = self.http.get(url).send().await.context("ask Jaeger")?.error_for_status()?;
        let answer: Value = response.json().await.context("read Jaeger's answer")?;
        let services = answer["data"].as_array().into_iter().flatten();
        Ok(services.filter_map(|service| Some(service.as_str()?.to_owned())).collect())
    }

    /// All traces since a time that have spans of a service, by their ids.
    ///
    /// # Errors
    /// When Jaeger cannot be reached or its answer cannot be read.
    pub async fn traces_since(&self, service: &str, since: SystemTime) -> anyhow::Result<BTreeMap<String, Trace>> {
        let microseconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let mut traces = BTreeMap::new();
        // Jaeger returns a limited number of traces and does not say whether there are more. When the limit is reached,
        // the time range is halved and both halves are queried.
        let mut times = vec![(microseconds(since), microseconds(SystemTime::now()))];
        while let Some((start, end)) = times.pop() {
            let found = self.traces_between(service, start, end).await?;
            if found.len() >= MOST_OF_A_TIME && end > start {
                let middle = start.midpoint(end);
                times.extend([(start, middle), (middle + 1, end)]);
            } else {
                traces.extend(found.into_iter().map(|trace| (trace.id().to_owned(), trace)));
            }
        }
        Ok(traces)
    }

    /// The traces with spans of a service that began in a time range, in microseconds since 1970.
    async fn traces_between(&self, service: &str, start: u128, end: u128) -> anyhow::Result<Vec<Trace>> {
        let (start, end, limit) = (start.to_string(), end.to_string(), MOST_OF_A_TIME.to_string());
        let query = [("service", service), ("start", &start), ("end", &end), ("limit", &limit)];
        let url = reqwest::Url::parse_with_params(&format!("{}/api/traces", self.base_url), query)?;
        let response = self.http.get(url).send().await.context("ask Jaeger")?.error_for_status()?;
        read::traces(&response.bytes().await?).context("read Jaeger's answer")
    }

    /// How many of the newest traces of a service Jaeger returns, and its warnings about them, such as clock skew.
    ///
    /// # Errors
    /// When Jaeger cannot be reached or its answer cannot be read.
    pub async fn warnings_of(&self, service: &str) -> anyhow::Result<(usize, Vec<String>)> {
        let traces = read::traces(self.everything_of(service).await?.as_bytes()).context("read Jaeger's answer")?;
        let spans = traces.iter().flat_map(|trace| &trace.spans);
        Ok((traces.len(), spans.flat_map(|span| span.warnings.clone()).collect()))
    }

    /// The newest traces with spans of a service, as Jaeger's own JSON. For tests that check that something is absent.
    ///
    /// # Errors
    /// When Jaeger cannot be reached.
    pub async fn everything_of(&self, service: &str) -> anyhow::Result<String> {
        let url = format!("{}/api/traces?service={service}&limit={TRACES}", self.base_url);
        let response = self.http.get(url).send().await.context("ask Jaeger")?.error_for_status()?;
        Ok(response.text().await?)
    }
}

/// The trace of an answer; may be without spans.
fn one(body: &[u8]) -> anyhow::Result<Trace> {
    let spans = read::traces(body).context("read Jaeger's answer")?.into_iter().flat_map(|trace| trace.spans);
    Ok(Trace::new(spans.collect()))
}
