//! Reads traces from bytes. The format is detected from the content.
//!
//! Reads OTLP as protobuf (`ExportTraceServiceRequest`) and as JSON, and Jaeger's own JSON. OTLP's JSON is
//! `{"resourceSpans":..}`, which Jaeger's `/api/v3/traces` puts into `result`; one value or many, as the collector's
//! file exporter writes them. Jaeger's JSON is `{"data":[{"spans":..,"processes":..}]}` or one of its traces alone.

mod jaeger;
pub(crate) mod otlp;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::Value;

use crate::{Span, Trace};

/// Why the bytes cannot be read as traces.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is nothing to read")]
    Empty,
    #[error("it is neither OTLP, as JSON or protobuf, nor Jaeger's JSON: {0}")]
    Unknown(String),
    #[error("it is cut off or no JSON: {0}")]
    Json(#[source] serde_json::Error),
    #[error("it looks like OTLP's JSON and is not: {0}")]
    Otlp(#[source] serde_json::Error),
    #[error("{0}")]
    Malformed(String),
    /// The error message of a backend.
    #[error("instead of a trace it says: {0}")]
    Said(String),
}

impl Error {
    fn malformed(text: impl Into<String>) -> Self {
        Self::Malformed(text.into())
    }
}

/// All traces in the bytes, complete, by trace id.
///
/// # Errors
/// When the format is unknown, or a span has no ids.
pub fn traces(bytes: &[u8]) -> Result<Vec<Trace>, Error> {
    let spans = match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err(Error::Empty),
        // Protobuf begins with 0x0a, which is white space in JSON, followed by a length, which may be the code of a
        // brace.
        Some(b'{' | b'[') => json(bytes).or_else(|error| protobuf(bytes).ok_or(error)),
        Some(_) => protobuf(bytes).ok_or_else(|| Error::Unknown(beginning(bytes))),
    }?;
    if let Some(span) = spans.iter().find(|span| span.trace_id.is_empty() || span.span_id.is_empty()) {
        return Err(Error::malformed(format!("the span {:?} has no trace id or no span id", span.name)));
    }
    Ok(Trace::group(spans))
}

fn protobuf(bytes: &[u8]) -> Option<Vec<Span>> {
    let request = ExportTraceServiceRequest::decode(bytes).ok()?;
    Some(otlp::spans(request)).filter(|spans| !spans.is_empty())
}

fn json(bytes: &[u8]) -> Result<Vec<Span>, Error> {
    let mut spans = Vec::new();
    for value in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        match value.map_err(Error::Json)? {
            Value::Array(list) => {
                for value in list {
                    spans.extend(document(value)?);
                }
            }
            value => spans.extend(document(value)?),
        }
    }
    Ok(spans)
}

fn document(mut value: Value) -> Result<Vec<Span>, Error> {
    if let Some(result) = value.get_mut("result") {
        value = result.take();
    }
    if value.get("resourceSpans").is_some() {
        return otlp::from_json(value).map_err(Error::Otlp);
    }
    if value.get("spans").is_some() {
        return jaeger::spans(&value);
    }
    match value.get("data").and_then(Value::as_array) {
        Some(traces) if !traces.is_empty() => {
            let traces: Vec<_> = traces.iter().map(jaeger::spans).collect::<Result<_, _>>()?;
            Ok(traces.into_iter().flatten().collect())
        }
        _ => said(&value),
    }
}

/// A JSON value without a trace: an empty answer, an error, or something else.
fn said(value: &Value) -> Result<Vec<Span>, Error> {
    let message = value["errors"][0]["msg"].as_str().or_else(|| value["error"]["message"].as_str());
    match message {
        Some(message) => Err(Error::Said(message.to_owned())),
        None if value.get("data").is_some() || value.as_object().is_some_and(serde_json::Map::is_empty) => {
            Ok(Vec::new())
        }
        None => Err(Error::Unknown(beginning(value.to_string().as_bytes()))),
    }
}

fn beginning(bytes: &[u8]) -> String {
    const SHOWN: usize = 60;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned();
    format!("it begins with {text:?}")
}

#[cfg(test)]
mod tests;
