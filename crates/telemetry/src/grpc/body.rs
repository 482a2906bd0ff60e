use std::any::Any;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::{Code, Status};

use super::call::Call;
use super::code_in;

pin_project! {
    /// A response body that ends the call's span at its trailers.
    pub struct TracedBody<B> {
        #[pin]
        body: B,
        call: Option<Call>,
    }
}

impl<B> TracedBody<B> {
    pub(super) fn new(body: B, call: Call) -> Self {
        Self { body, call: Some(call) }
    }

    /// The body of a call that has ended, or that has no span.
    pub(super) fn untraced(body: B) -> Self {
        Self { body, call: None }
    }
}

impl<B: Default> Default for TracedBody<B> {
    fn default() -> Self {
        Self::untraced(B::default())
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
        let mut frame = ready!(match this.call {
            Some(call) => call.span().within(|| this.body.poll_frame(cx)),
            None => this.body.poll_frame(cx),
        });
        let code = match &frame {
            Some(Ok(frame)) => frame.trailers_ref().map(|trailers| code_in(trailers).unwrap_or(Code::Unknown)),
            Some(Err(error)) => Some(code_of(error)),
            // The body ended without trailers, so there is no status: gRPC maps that to UNKNOWN.
            None => Some(Code::Unknown),
        };
        if let Some(code) = code
            && let Some(call) = this.call.take()
        {
            match frame.as_mut().and_then(|frame| frame.as_mut().ok()?.trailers_mut()) {
                Some(trailers) => call.end_in(code, trailers),
                None => call.end(code),
            }
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

/// The code that the reader of a broken body gets: tonic turns a lost connection or a reset into a status.
fn code_of(error: &dyn Any) -> Code {
    error.downcast_ref().map_or(Code::Unavailable, Status::code)
}
