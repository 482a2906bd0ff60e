//! Spans of programs that cannot export their own.

use std::borrow::Cow;
use std::env;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks, SpanProcessor};

use crate::config::settings::Settings;
use crate::config::{Config, Metrics};
use crate::conventions::{
    ERROR_TYPE, HTTP_REQUEST_METHOD, HTTP_REQUEST_RESEND_COUNT, HTTP_RESPONSE_STATUS_CODE, SCHEMA_URL, URL_TEMPLATE,
};
use crate::init::InitError;
use crate::telemetry::Telemetry;
use crate::trace_state::RANDOM;

/// Exports the spans that a web page reports, under a `service.name` of their own. They join a trace that began here
/// with [`crate::Continuation::Adopt`].
#[derive(Debug)]
pub struct Relay(Telemetry);

/// A span's place in its trace, in lower-case hexadecimal as on the wire.
#[derive(Debug, Clone, Copy)]
pub struct RelayedPlace<'a> {
    pub trace_id: &'a str,
    pub span_id: &'a str,
    /// `None` for the root.
    pub parent_span_id: Option<&'a str>,
}

/// When a span began and ended, by the clock of this process.
#[derive(Debug, Clone, Copy)]
pub struct RelayedTime {
    pub start: SystemTime,
    pub end: SystemTime,
}

/// A request of HTTP as its client saw it.
#[derive(Debug, Clone, Copy)]
pub struct RelayedRequest {
    pub method: &'static str,
    /// Such as `/users/{id}`.
    pub template: &'static str,
    /// `None` if no answer came.
    pub status: Option<u16>,
    /// Why no answer came.
    pub error: Option<&'static str>,
    /// How often it was sent before.
    pub resend_count: u32,
}

/// An invalid id of a trace or a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id of a trace or a span")]
pub struct InvalidId;

impl Relay {
    /// Starts an exporter as `config` says, with `name` as `service.name`. It measures nothing.
    ///
    /// # Errors
    /// When the configuration is invalid.
    pub fn start(config: &Config, name: &str, version: &str) -> Result<Self, InitError> {
        let config = Config { name: name.to_owned(), metrics: Metrics::None, ..config.clone() };
        // `OTEL_SERVICE_NAME` names this process, and not the program whose spans are relayed.
        let variable = |name: &str| if name == "OTEL_SERVICE_NAME" { None } else { env::var(name).ok() };
        Telemetry::with_settings(&config, Settings::new(&config, version, variable)).map(Self)
    }

    /// Exports a piece of work.
    ///
    /// # Errors
    /// When an id of the place is invalid.
    pub fn work(&self, place: RelayedPlace<'_>, time: RelayedTime, name: &'static str) -> Result<(), InvalidId> {
        self.export(place, time, SpanKind::Internal, name.into(), Vec::new(), Status::Unset)
    }

    /// Exports a request.
    ///
    /// # Errors
    /// When an id of the place is invalid.
    pub fn request(
        &self,
        place: RelayedPlace<'_>,
        time: RelayedTime,
        request: RelayedRequest,
    ) -> Result<(), InvalidId> {
        let RelayedRequest { method, template, status, error, resend_count } = request;
        let failed = status.filter(|status| *status >= 400).map(|status| Cow::Owned(status.to_string()));
        let error = error.map(Cow::Borrowed).or(failed);
        let mut attributes = vec![KeyValue::new(HTTP_REQUEST_METHOD, method), KeyValue::new(URL_TEMPLATE, template)];
        attributes.extend(status.map(|status| KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(status))));
        attributes
            .extend((resend_count > 0).then(|| KeyValue::new(HTTP_REQUEST_RESEND_COUNT, i64::from(resend_count))));
        let status = if error.is_some() { Status::error("") } else { Status::Unset };
        attributes.extend(error.map(|error| KeyValue::new(ERROR_TYPE, error)));
        self.export(place, time, SpanKind::Client, format!("{method} {template}").into(), attributes, status)
    }

    fn export(
        &self,
        place: RelayedPlace<'_>,
        time: RelayedTime,
        span_kind: SpanKind,
        name: Cow<'static, str>,
        attributes: Vec<KeyValue>,
        status: Status,
    ) -> Result<(), InvalidId> {
        let trace_id = TraceId::from_hex(place.trace_id).map_err(|_| InvalidId)?;
        let span_id = SpanId::from_hex(place.span_id).map_err(|_| InvalidId)?;
        let parent_span_id =
            place.parent_span_id.map_or(Ok(SpanId::INVALID), SpanId::from_hex).map_err(|_| InvalidId)?;
        let flags = TraceFlags::SAMPLED | RANDOM;
        let span_context = SpanContext::new(trace_id, span_id, flags, false, TraceState::NONE);
        if !span_context.is_valid() {
            return Err(InvalidId);
        }
        let Some(processor) = &self.0.0.processor else { return Ok(()) };
        processor.on_end(SpanData {
            span_context,
            parent_span_id,
            parent_span_is_remote: false,
            span_kind,
            name,
            start_time: time.start,
            end_time: time.end.max(time.start),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status,
            instrumentation_scope: InstrumentationScope::builder("relay").with_schema_url(SCHEMA_URL).build(),
        });
        Ok(())
    }

    /// Sends what is left, as [`Telemetry::shutdown`].
    pub async fn shutdown(&self, deadline: Duration) {
        self.0.clone().shutdown(deadline).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Batcher;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn told(trace_id: &str, span_id: &str, parent_span_id: Option<&str>) -> Result<(), InvalidId> {
        let config = Config { batcher: Batcher::None, ..Config::new("shop") };
        let relay = Relay::start(&config, "page", "1.0").unwrap();
        let time = RelayedTime { start: SystemTime::UNIX_EPOCH, end: SystemTime::UNIX_EPOCH };
        relay.work(RelayedPlace { trace_id, span_id, parent_span_id }, time, "send order")
    }

    #[test]
    fn a_span_has_ids_or_is_refused() {
        assert_eq!(told(TRACE, SPAN, None), Ok(()));
        assert_eq!(told(TRACE, SPAN, Some(SPAN)), Ok(()));
        for (trace_id, span_id, parent) in [
            ("", SPAN, None),
            (TRACE, "", None),
            (&"0".repeat(32), SPAN, None),
            (TRACE, "0000000000000000", None),
            (TRACE, "somebody's name", None),
            (TRACE, SPAN, Some("somebody's name")),
            (&"f".repeat(33), SPAN, None),
        ] {
            assert_eq!(told(trace_id, span_id, parent), Err(InvalidId), "{trace_id} {span_id} {parent:?}");
        }
    }
}
