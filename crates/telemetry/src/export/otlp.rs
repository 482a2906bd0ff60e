use std::future::Future;
use std::time::Duration;

use ::http::Uri;
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;

use super::grpc::Grpc;
use super::http::Http;
use crate::config::settings::{Otlp, Protocol};

/// The timeout of connecting to a receiver.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// The first pause before an export is retried, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Sends encoded requests to an OTLP receiver, and retries temporary failures.
#[derive(Debug)]
pub(crate) struct Sender {
    /// If the transport cannot be built, the reason: every export fails with it.
    transport: Result<Transport, String>,
    timeout: Option<Duration>,
}

#[derive(Debug)]
enum Transport {
    Grpc(Box<Grpc>),
    Http(Http),
}

/// Why an export has failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// One of a few classes: a gRPC code, an HTTP status, or what happened instead.
    pub(crate) class: &'static str,
    /// For the log.
    pub(crate) message: String,
    pub(super) retry: Retry,
}

/// Whether the same export may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    Later,
    /// After the pause that the receiver asks for.
    After(Duration),
}

impl Failure {
    pub(crate) fn timeout() -> Self {
        Self { class: "timeout", message: "no answer in time".to_owned(), retry: Retry::Later }
    }

    /// Whether the same export may succeed later.
    pub(super) fn may_pass(&self) -> bool {
        self.retry != Retry::Never
    }

    /// The receiver was not reached or went away.
    pub(super) fn unavailable(error: &(dyn std::error::Error + 'static)) -> Self {
        Self { class: "unavailable", message: chain(error), retry: Retry::Later }
    }
}

impl Sender {
    /// `method` is the full path of the signal's RPC; over HTTP the endpoint has the path. Must be called inside the
    /// runtime that it sends on.
    pub(crate) fn new(otlp: &Otlp, method: &'static str) -> Self {
        let transport = match otlp.protocol {
            Protocol::Grpc => Grpc::new(otlp, method).map(|grpc| Transport::Grpc(Box::new(grpc))),
            Protocol::HttpProtobuf => Http::new(otlp).map(Transport::Http),
        };
        Self { transport, timeout: otlp.timeout }
    }

    /// Sends an encoded request, with retries, and returns the encoded answer. All attempts together have the timeout
    /// of one export, and they stop when `give_up` completes.
    pub(crate) async fn send(&self, request: Bytes, give_up: impl Future<Output = ()>) -> Result<Bytes, Failure> {
        let transport = match &self.transport {
            Ok(transport) => transport,
            Err(message) => {
                return Err(Failure { class: "configuration", message: message.clone(), retry: Retry::Never });
            }
        };
        let once = || async {
            match transport {
                Transport::Grpc(grpc) => grpc.send(request.clone()).await,
                Transport::Http(http) => http.send(request.clone()).await,
            }
        };
        let (first, longest) = PAUSES;
        let pauses = ExponentialBuilder::default().with_min_delay(first).with_max_delay(longest).without_max_times();
        let mut last = Failure::timeout();
        let result = {
            let repeated = once
                .retry(pauses.with_jitter())
                .when(Failure::may_pass)
                .adjust(|failure, pause| match failure.retry {
                    Retry::After(wanted) => Some(wanted),
                    Retry::Never | Retry::Later => pause,
                })
                .notify(|failure, _| last = failure.clone());
            tokio::select! {
                result = repeated => Some(result),
                () = self.time_is_over() => None,
                () = give_up => None,
            }
        };
        if result.is_none()
            && let Transport::Grpc(grpc) = transport
        {
            grpc.reconnect();
        }
        // The last failure says more than that the time is over.
        result.unwrap_or(Err(last))
    }

    async fn time_is_over(&self) {
        match self.timeout {
            None => std::future::pending().await,
            Some(timeout) => tokio::time::sleep(timeout).await,
        }
    }
}

/// Whether connections to this endpoint use TLS.
pub(super) fn is_secure(endpoint: &Uri) -> bool {
    endpoint.scheme_str() == Some("https")
}

/// An error with its causes.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
