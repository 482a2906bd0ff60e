//! Requests and answers of the HTTP port.

use std::io::Read;

use axum::Json;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use prost::Message;
use serde_json::json;
use traces::Trace;

use super::grpc::MAX_REQUEST;

/// The answer in the format of Jaeger's HTTP API.
pub(super) fn show(trace: &Trace) -> Response {
    if trace.is_empty() {
        return StatusCode::NOT_FOUND.into_response();
    }
    Json(json!({"result": traces::write::otlp(trace)})).into_response()
}

pub(super) fn receive_http<R: Message + Default>(head: &HeaderMap, body: &Bytes, take: impl FnOnce(R)) -> Response {
    match read_http(head, body) {
        Ok(request) => {
            take(request);
            // A protobuf message without fields is empty. It means that everything was accepted.
            [(header::CONTENT_TYPE, "application/x-protobuf")].into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}")).into_response(),
    }
}

fn read_http<R: Message + Default>(head: &HeaderMap, body: &Bytes) -> anyhow::Result<R> {
    if head.get(header::CONTENT_ENCODING).is_none_or(|encoding| encoding != "gzip") {
        return Ok(R::decode(&body[..])?);
    }
    let mut unpacked = Vec::new();
    GzDecoder::new(&body[..]).take(MAX_REQUEST as u64).read_to_end(&mut unpacked)?;
    Ok(R::decode(&unpacked[..])?)
}
