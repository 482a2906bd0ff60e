//! A future that runs in a context of its own.

use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use opentelemetry::Context;
use pin_project_lite::pin_project;

pin_project! {
    /// A future that runs in a context, attached on each poll.
    pub struct Attached<F> {
        context: Option<Context>,
        #[pin]
        future: F,
    }
}

impl<F> Attached<F> {
    /// Runs a future in a context that has no span of its own.
    pub(crate) fn new(context: Context, future: F) -> Self {
        Self { context: Some(context), future }
    }

    /// Runs a future in this context. `None` leaves the context in which it is polled.
    pub(crate) fn in_context(context: Option<Context>, future: F) -> Self {
        Self { context, future }
    }

    /// Runs a future in the context in which it is polled.
    pub(crate) fn nowhere(future: F) -> Self {
        Self { context: None, future }
    }
}

impl<F: Future> Future for Attached<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _attached = this.context.as_ref().map(|context| context.clone().attach());
        this.future.poll(cx)
    }
}
