use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Response};
use opentelemetry::trace::SpanKind;
use opentelemetry::{KeyValue, Value};
use tonic::Code;

use super::{GRPC, TracedBody, code_in};
use crate::conventions::{ERROR_TYPE, OTHER, RPC_METHOD, RPC_STATUS_CODE, RPC_SYSTEM_NAME};
use crate::grpc_status::code_name;
use crate::propagation::Boundary;
use crate::span::Span;
use crate::telemetry::Telemetry;

/// A call in progress: its span stays open until the status is known. A call that is dropped before that counts as
/// cancelled.
pub(super) struct Call {
    span: Span,
    side: Side,
    boundary: Boundary,
    /// `None` if the method is unknown.
    method: Option<Arc<str>>,
    started: Instant,
    telemetry: Telemetry,
    ended: bool,
}

/// The side of the call that a span describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// This process makes the call.
    Client,
    /// This process answers the call, and logs a line for it.
    Server,
}

impl Side {
    pub(super) fn kind(self) -> SpanKind {
        match self {
            Self::Client => SpanKind::Client,
            Self::Server => SpanKind::Server,
        }
    }

    /// Whether a call that ended with this code has failed.
    ///
    /// A refusal (not found, invalid, unauthenticated and the like) answers a caller's mistake: it must not mark the
    /// trace as failed, on either side. Two codes are failures of the client only: a caller may cancel a call, and a
    /// server may reject one for lack of resources, without a failure of the server.
    fn is_failure(self, code: Code) -> bool {
        match code {
            Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss => true,
            Code::Cancelled | Code::ResourceExhausted => self == Self::Client,
            _ => false,
        }
    }
}

impl Call {
    pub(super) fn new(
        telemetry: Telemetry,
        span: Span,
        side: Side,
        boundary: Boundary,
        method: Option<Arc<str>>,
    ) -> Self {
        Self { span, side, boundary, method, started: Instant::now(), telemetry, ended: false }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    pub(super) fn end(mut self, code: Code) {
        self.record(code);
    }

    /// Ends the call with the headers or trailers that carry its status. They also say that the trace is kept, if that
    /// was decided during the call.
    pub(super) fn end_in(mut self, code: Code, headers: &mut HeaderMap) {
        if self.side == Side::Client {
            self.telemetry.0.keep_if_answer_says(self.boundary, &self.span.span_context(), headers);
        }
        let place = self.span.span_context();
        self.record(code);
        if self.side == Side::Server {
            self.telemetry.0.respond_if_kept(self.boundary, &place, headers);
        }
    }

    /// Ends the call with its response's head if the status is there, else with its trailers.
    pub(super) fn end_with<B>(self, mut response: Response<B>) -> Response<TracedBody<B>> {
        match code_in(response.headers()) {
            Some(code) => {
                self.end_in(code, response.headers_mut());
                response.map(TracedBody::untraced)
            }
            None => response.map(|body| TracedBody::new(body, self)),
        }
    }

    fn record(&mut self, code: Code) {
        self.ended = true;
        if self.side == Side::Server && code == Code::Unimplemented {
            // An unknown method may be any text of the caller's, so it is not shown.
            self.method = None;
            self.span.rename(GRPC);
        }
        let name = code_name(code);
        match &self.method {
            Some(method) => self.span.set(RPC_METHOD, Arc::clone(method)),
            None => self.span.set(RPC_METHOD, OTHER),
        }
        self.span.set(RPC_STATUS_CODE, name);
        if self.side.is_failure(code) {
            self.span.fail(name);
        }
        let duration = self.started.elapsed();
        self.measure(code, duration);
        if self.side == Side::Server {
            let called = || self.method.as_deref().unwrap_or(GRPC).into();
            self.telemetry.0.keep_if_slow(&self.span.span_context(), called, duration);
            self.log(name, duration);
        }
        self.span.finish();
    }

    fn measure(&self, code: Code, duration: Duration) {
        let Some(meters) = &self.telemetry.0.meters else { return };
        let name = code_name(code);
        let mut attributes = vec![
            KeyValue::new(RPC_SYSTEM_NAME, GRPC),
            KeyValue::new(
                RPC_METHOD,
                self.method.as_ref().map_or(Value::from(OTHER), |method| Arc::clone(method).into()),
            ),
            KeyValue::new(RPC_STATUS_CODE, name),
        ];
        if self.side.is_failure(code) {
            attributes.push(KeyValue::new(ERROR_TYPE, name));
        }
        match self.side {
            Side::Server => meters.rpc_server(duration, &attributes),
            Side::Client => meters.rpc_client(duration, &attributes),
        }
    }

    fn log(&self, code: &'static str, duration: Duration) {
        let duration_ms = duration.as_secs_f64() * 1e3;
        let method = self.method.as_deref().unwrap_or(OTHER);
        self.span.within(|| tracing::info!(rpc.method = method, rpc.status_code = code, duration_ms, "rpc"));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if std::thread::panicking() {
            self.span.fail("panic");
        }
        self.record(Code::Cancelled);
    }
}
