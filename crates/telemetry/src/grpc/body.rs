use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::Code;
use tracing::Span;

use super::{code_in, record_code};
use crate::span::Unfinished;

/// A call that is being answered: its span stays open until the status is known.
pub(super) struct Call {
    pub(super) span: Span,
    pub(super) unfinished: Unfinished,
    /// The log line to write at the end, for the side that answers.
    pub(super) line: Option<Line>,
}

/// What a server logs of a call.
pub(super) struct Line {
    pub(super) method: String,
    pub(super) started: Instant,
}

impl Call {
    pub(super) fn end(self, code: Code) {
        let code = record_code(&self.span, code);
        if let Some(line) = self.line {
            let duration_ms = line.started.elapsed().as_secs_f64() * 1e3;
            self.span.in_scope(|| {
                tracing::info!(rpc.method = line.method, rpc.response.status_code = code, duration_ms, "rpc");
            });
        }
        self.unfinished.finished();
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

impl<B: Body> Body for TracedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let entered = this.call.as_ref().map(|call| call.span.enter());
        let frame = ready!(this.body.poll_frame(cx));
        drop(entered);
        let code = match &frame {
            Some(Ok(frame)) => frame.trailers_ref().map(|trailers| code_in(trailers).unwrap_or(Code::Unknown)),
            Some(Err(_)) => Some(Code::Unavailable),
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
