//! Serving over HTTP.

mod accept;
mod intake;
mod unreadable;
mod write_timeout;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::middleware::map_response_with_state;
use axum::response::Response;
use axum_server::Handle;
use http::HeaderValue;
use http::header::CONNECTION;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::shutdown::{DRAIN, Shutdown};

pub use crate::network::{Networks, networks_of};
pub use crate::tls::Tls;
pub use accept::{Acceptor, ConnectionLimits};
pub use unreadable::Unreadable;

/// How long a connection may take to send a request's head, and how long it may be idle between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes and most headers of a request's head. Larger heads, and bytes that are not HTTP, are answered by the
/// router with 431, 414 or 400: [`Unreadable`].
const HEAD_LIMIT: usize = 128 * 1024;
const HEADERS_LIMIT: usize = 256;

/// Serves HTTP/1.1 until shutdown, goes on for [`ConnectionLimits::farewell`], and then finishes the running requests.
/// Each request has the peer's address as an extension, [`axum::extract::ConnectInfo`].
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    acceptor: Acceptor,
    router: Router,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let handle = Handle::new();
    let farewell = acceptor.farewell;
    let router = router.layer(map_response_with_state(shutdown.clone(), say_farewell));
    let mut server = axum_server::from_tcp(listener.into_std()?)
        .context("take over the listener")?
        .acceptor(acceptor.answering(router.clone()))
        .handle(handle.clone())
        .http1_only();
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_LIMIT)
        .max_headers(HEADERS_LIMIT);
    let serving = server.serve(router.into_make_service_with_connect_info::<SocketAddr>());
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended.context("serve HTTP"),
        () = shutdown.cancelled() => {}
    }
    // Answers now announce that their connection ends, so that clients open the next one elsewhere. If connections were
    // closed at once, a request could be on its way, and no client could tell whether it was processed.
    tokio::select! {
        ended = &mut serving => return ended.context("serve HTTP"),
        () = sleep(farewell) => {}
    }
    // Limited, because a connection with half a request would delay the end for ever.
    handle.graceful_shutdown(Some(DRAIN.saturating_sub(farewell)));
    serving.await.context("serve HTTP")
}

async fn say_farewell(State(shutdown): State<Shutdown>, mut response: Response) -> Response {
    if shutdown.is_cancelled() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests;
