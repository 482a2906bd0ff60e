use std::any::Any;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::{Code, Status};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{code_in, code_name, record_code};
use crate::span::abandon;

/// A call that is being answered: its span stays open until the status is known. A call that is
/// dropped before that was cancelled.
pub(super) struct Call {
    span: Span,
    /// What the side that answers logs at the end.
    line: Option<Line>,
    ended: bool,
}

struct Line {
    method: String,
    started: Instant,
}

impl Call {
    /// A call to somebody else.
    pub(super) fn outgoing(span: &Span) -> Self {
        Self { span: span.clone(), line: None, ended: false }
    }

    /// A call that this process answers.
    pub(super) fn incoming(span: &Span, method: String) -> Self {
        let line = Some(Line { method, started: Instant::now() });
        Self { span: span.clone(), line, ended: false }
    }

    pub(super) fn end(mut self, code: Code) {
        self.ended = true;
        record_code(&self.span, code);
        self.log(code_name(code));
    }

    /// Ends the call with its response's head if the status is there, else with its trailers.
    pub(super) fn end_with<B>(self, response: Response<B>) -> Response<TracedBody<B>> {
        match code_in(response.headers()) {
            Some(code) => {
                self.end(code);
                response.map(|body| TracedBody::new(body, None))
            }
            None => response.map(|body| TracedBody::new(body, Some(self))),
        }
    }

    fn log(&mut self, code: &'static str) {
        if let Some(Line { method, started }) = self.line.take() {
            let duration_ms = started.elapsed().as_secs_f64() * 1e3;
            self.span.in_scope(|| {
                tracing::info!(rpc.method = method, rpc.response.status_code = code, duration_ms, "rpc");
            });
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.ended {
            let code = code_name(Code::Cancelled);
            self.span.set_attribute("rpc.response.status_code", code);
            self.log(code);
            abandon(&self.span);
        }
    }
}

pin_project! {
    /// A response body that ends the call's span at its trailers.
    pub struct TracedBody<B> {
        #[pin]
        body: B,
        call: Option<Call>,
    }
}

impl<B> TracedBody<B> {
    pub(super) fn new(body: B, call: Option<Call>) -> Self {
        Self { body, call }
    }
}

impl<B: Default> Default for TracedBody<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

impl<B> Body for TracedBody<B>
where
    B: Body<Error: 'static>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let entered = this.call.as_ref().map(|call| call.span.enter());
        let frame = ready!(this.body.poll_frame(cx));
        drop(entered);
        let code = match &frame {
            Some(Ok(frame)) => frame.trailers_ref().map(|trailers| code_in(trailers).unwrap_or(Code::Unknown)),
            Some(Err(error)) => Some(code_of(error)),
            // A body without trailers says nothing of the call: gRPC calls that unknown.
            None => Some(Code::Unknown),
        };
        if let Some(code) = code
            && let Some(call) = this.call.take()
        {
            call.end(code);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What the reader of a broken body is told: tonic has made a status of a lost connection or a reset.
fn code_of(error: &dyn Any) -> Code {
    error.downcast_ref().map_or(Code::Unavailable, Status::code)
}
