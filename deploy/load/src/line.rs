//! The log on standard output: JSON in the same format as the services' logs, so that they can be read together.

use std::io::{self, Write};
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use serde::Serialize;

/// A log line. It contains no names and no data of reports.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'l> {
    timestamp: String,
    level: &'static str,
    service: &'static str,
    message: &'l str,
    /// Method and path.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'l str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
    /// The trace of the request in the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'l str>,
}

impl<'l> Line<'l> {
    pub(crate) fn new(message: &'l str) -> Self {
        Self {
            timestamp: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
            level: "INFO",
            service: "load",
            message,
            request: None,
            status: None,
            error: None,
            duration_ms: None,
            trace_id: None,
        }
    }

    pub(crate) fn request(self, request: &'l str, duration: Duration) -> Self {
        Self { request: Some(request), duration_ms: Some(duration.as_secs_f64() * 1e3), ..self }
    }

    pub(crate) fn answer(self, status: u16, trace_id: Option<&'l str>) -> Self {
        Self { status: Some(status), trace_id, ..self }
    }

    pub(crate) fn error(self, error: &reqwest::Error) -> Self {
        Self { level: "WARN", error: Some(class(error)), ..self }
    }

    pub(crate) fn write(&self) {
        let Ok(mut line) = serde_json::to_vec(self) else { return };
        line.push(b'\n');
        // The reader of the output may be gone; that is no reason to stop.
        let _ = io::stdout().write_all(&line);
    }
}

fn class(error: &reqwest::Error) -> &'static str {
    match error {
        error if error.is_timeout() => "timeout",
        error if error.is_connect() => "connect",
        error if error.is_status() => "not ready",
        _ => "request",
    }
}
