//! Serving over HTTP.

use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;

use crate::service::{DRAIN, Shutdown};

/// How long a connection may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of a request's head.
const HEAD_LIMIT: usize = 64 * 1024;

/// Serves HTTP/1.1 until told to stop, then finishes the requests it has begun.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown) -> anyhow::Result<()> {
    let handle = Handle::new();
    let mut server = axum_server::from_tcp(listener.into_std()?)
        .context("take over the listener")?
        .acceptor(NoDelayAcceptor::new())
        .handle(handle.clone())
        .http1_only();
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_LIMIT);
    let serving = server.serve(router.into_make_service());
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended.context("serve HTTP"),
        () = shutdown.cancelled() => {}
    }
    // A connection that has sent half a request would hold the end up for ever.
    handle.graceful_shutdown(Some(DRAIN));
    serving.await.context("serve HTTP")
}
