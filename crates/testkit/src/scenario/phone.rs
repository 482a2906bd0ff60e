//! A phone that makes spans of its own. They show what happens on the network in front of the gateway.

use std::fmt::Write as _;
use std::io::{self, ErrorKind};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use migrations::demo::PATIENTS;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::fault::Network;
use super::file::Submission;
use super::patient::Patient;
use crate::client::{Client, Response, parse, plain_http, report};

/// Longer than the gateway takes for any answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pause between two bytes on a slow network.
const PAUSE: Duration = Duration::from_millis(250);

const SAMPLED: u32 = 0x01;

/// One report that the phone is about to send.
pub(super) struct Phone<'p> {
    pub(super) patient: &'p Patient,
    pub(super) submission: Submission,
    pub(super) baggage: Option<String>,
    pub(super) network: Option<Network>,
    pub(super) trace_id: Uuid,
}

impl Phone<'_> {
    /// Sends the report, again if the scenario asks for several tries. Returns the last answer.
    pub(super) async fn submit(&self) -> Option<Response> {
        let (key, body) = (Uuid::new_v4().to_string(), report(PATIENTS[0].assignment).to_string());
        let parent = (self.submission.tries > 1).then(span_id);
        let (start, mut spans, mut last) = (nanos(), Vec::new(), None);
        for _ in 0..self.submission.tries {
            let mut span = self.span(parent.as_ref());
            let answer = self.post(&span.span_id, &key, &body).await;
            end(&mut span, &answer);
            spans.push(span);
            last = answer.ok();
            if last.as_ref().is_some_and(|answer| answer.status < 500) {
                break;
            }
        }
        if let Some(span_id) = parent {
            let mut span = Span { name: "submit report".to_owned(), parent_span_id: Vec::new(), ..self.span(None) };
            span.attributes.clear();
            (span.span_id, span.kind, span.start_time_unix_nano) = (span_id, SpanKind::Internal.into(), start);
            span.status = spans.last().and_then(|last| last.status.clone());
            span.end_time_unix_nano = nanos();
            spans.push(span);
        }
        if self.submission.sampled {
            self.export(spans).await;
        }
        last
    }

    fn span(&self, parent: Option<&Vec<u8>>) -> Span {
        Span {
            trace_id: self.trace_id.as_bytes().to_vec(),
            span_id: span_id(),
            parent_span_id: parent.cloned().unwrap_or_default(),
            name: "POST /v1/reports".to_owned(),
            kind: SpanKind::Client.into(),
            flags: SAMPLED,
            start_time_unix_nano: nanos(),
            attributes: vec![
                text("http.request.method", "POST"),
                text("url.template", "/v1/reports"),
                text("server.address", self.patient.gateway.ip().to_string()),
                int("server.port", self.patient.gateway.port().into()),
            ],
            ..Span::default()
        }
    }

    async fn post(&self, span_id: &[u8], key: &str, body: &str) -> anyhow::Result<Response> {
        let span_id = span_id.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let flags = u32::from(self.submission.sampled) * SAMPLED;
        let mut headers = vec![
            ("authorization", format!("Bearer {}", self.patient.token.0)),
            ("content-type", "application/json".to_owned()),
            ("idempotency-key", key.to_owned()),
            ("traceparent", format!("00-{}-{span_id}-{flags:02x}", self.trace_id.simple())),
        ];
        headers.extend(self.baggage.iter().map(|value| ("baggage", format!("demo.fault={value}"))));
        if self.network == Some(Network::Slow) {
            return timeout(PATIENCE, self.trickle(&headers, body)).await.context("no answer")?;
        }
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
        Client::new(format!("http://{}", self.patient.gateway)).raw("POST", "/v1/reports", &headers, body).await
    }

    /// Sends the body byte by byte, until there is an answer.
    async fn trickle(&self, headers: &[(&str, String)], body: &str) -> anyhow::Result<Response> {
        let (mut reader, mut writer) = TcpStream::connect(self.patient.gateway).await?.into_split();
        let mut head = format!("POST /v1/reports HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.patient.gateway);
        for (name, value) in headers {
            // Writing to a String cannot fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "content-length: {}\r\n\r\n", body.len());
        writer.write_all(head.as_bytes()).await?;
        let sending = async {
            for byte in body.as_bytes() {
                if writer.write_all(&[*byte]).await.is_err() {
                    break;
                }
                sleep(PAUSE).await;
            }
            // After the last byte or a failed write, wait for the answer: it may still arrive.
            std::future::pending::<()>().await;
        };
        let mut answer = Vec::new();
        tokio::select! {
            _ = reader.read_to_end(&mut answer) => {}
            () = sending => {}
        }
        parse(&answer)
    }

    /// Spans that do not arrive are not an error.
    async fn export(&self, spans: Vec<Span>) {
        let resource = Resource { attributes: vec![text("service.name", "phone")], ..Resource::default() };
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let group = ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() };
        let request = ExportTraceServiceRequest { resource_spans: vec![group] };
        let post = plain_http().post(format!("{}/v1/traces", self.patient.otlp)).body(request.encode_to_vec());
        let _ = post.header("content-type", "application/x-protobuf").send().await;
    }
}

/// Ends a span as the conventions for HTTP clients require.
fn end(span: &mut Span, answer: &anyhow::Result<Response>) {
    span.end_time_unix_nano = nanos();
    let error = match answer {
        Ok(answer) => {
            span.attributes.push(int("http.response.status_code", answer.status.into()));
            (answer.status >= 400).then(|| answer.status.to_string())
        }
        Err(error) => Some(class(error).to_owned()),
    };
    if let Some(error) = error {
        span.attributes.push(text("error.type", error));
        span.status = Some(Status { code: StatusCode::Error.into(), message: String::new() });
    }
}

fn class(error: &anyhow::Error) -> &'static str {
    let mut system = error.chain().filter_map(|error| error.downcast_ref::<io::Error>());
    if system.any(|error| error.kind() == ErrorKind::ConnectionReset) {
        return "connection_reset";
    }
    match error.downcast_ref::<reqwest::Error>() {
        Some(error) if error.is_timeout() => "timeout",
        Some(error) if error.is_connect() => "connect",
        Some(_) => "request",
        None => "io",
    }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn span_id() -> Vec<u8> {
    fastrand::u64(1..).to_be_bytes().to_vec()
}

fn nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
