//! What Jaeger has stored, by its HTTP API.

use std::time::Duration;

use anyhow::{Context, ensure};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::client::plain_http;
use crate::poll;
use crate::trace::{Trace, spans};

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
        parse(&response.bytes().await?)
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

    /// How many of the newest traces of a service Jaeger has, and what it warns of in them, such as clocks that differ.
    ///
    /// # Errors
    /// When Jaeger cannot be asked or its answer is none of its own.
    pub async fn warnings_of(&self, service: &str) -> anyhow::Result<(usize, Vec<String>)> {
        let answer: Value =
            serde_json::from_str(&self.everything_of(service).await?).context("read Jaeger's answer")?;
        let traces = answer["data"].as_array().context("Jaeger lists no traces")?;
        let spans = traces.iter().flat_map(|trace| trace["spans"].as_array().into_iter().flatten());
        let warnings = spans.chain(traces).flat_map(|part| part["warnings"].as_array().into_iter().flatten());
        Ok((traces.len(), warnings.map(ToString::to_string).collect()))
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

/// One message of the stream that `/api/v3/traces` answers with.
#[derive(Deserialize)]
struct Chunk {
    /// OTLP's JSON encoding.
    result: ExportTraceServiceRequest,
}

fn parse(body: &[u8]) -> anyhow::Result<Trace> {
    let mut all = Vec::new();
    for chunk in serde_json::Deserializer::from_slice(body).into_iter::<Chunk>() {
        all.extend(spans(chunk.context("read Jaeger's answer")?.result));
    }
    Ok(Trace::new(all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Kind, Status};

    #[test]
    fn a_stored_trace_has_names_kinds_parents_and_attributes() {
        let body = br#"{"result":{"resourceSpans":[{
            "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"data-svc"}}]},
            "scopeSpans":[{"scope":{"name":"epro"},"spans":[
                {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b17a","name":"SaveReport",
                 "kind":2,"startTimeUnixNano":"1795368326000000000","endTimeUnixNano":"1795368326000002000",
                 "status":{}},
                {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b17b",
                 "parentSpanId":"eee19b7ec3c1b17a","name":"COMMIT","kind":3,
                 "startTimeUnixNano":"1795368326000001000","endTimeUnixNano":"1795368326000001500",
                 "attributes":[{"key":"db.system.name","value":{"stringValue":"postgresql"}},
                               {"key":"rows","value":{"intValue":"42"}}],
                 "status":{"message":"bad","code":2}}]}]}]}}"#;
        let trace = parse(body).unwrap();
        let commit = trace.one("data-svc", "COMMIT", Kind::Client).unwrap();
        assert_eq!(commit.status, Status::Error("bad".to_owned()));
        assert_eq!((commit.text("db.system.name"), commit.int("rows")), (Some("postgresql"), Some(42)));
        assert_eq!((trace.roots().len(), trace.orphans().len()), (1, 0));
        assert_eq!(trace.roots()[0].duration(), Duration::from_micros(2));
    }

    #[test]
    fn a_trace_in_several_messages_is_one_trace() {
        let message = |span: &str| {
            format!(
                r#"{{"result":{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"spanId":"{span}","name":"a"}}]}}]}}]}}}}"#
            )
        };
        let body = format!("{}\n{}\n", message("eee19b7ec3c1b17a"), message("eee19b7ec3c1b17b"));
        assert_eq!(parse(body.as_bytes()).unwrap().spans.len(), 2);
    }

    #[test]
    fn what_is_no_trace_is_an_error() {
        assert!(parse(b"<html>").is_err());
    }
}
