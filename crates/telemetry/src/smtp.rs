//! `SMTP submit` CLIENT spans for lettre.

use lettre::transport::smtp::{self, AsyncSmtpTransport};
use lettre::{AsyncTransport, Message, Tokio1Executor};
use tracing::{Instrument, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::span::{TARGET, Unfinished, fail};

pub use smtp::Error;

/// An SMTP transport whose every submission is a CLIENT span. It shows the server and its
/// reply code, never an address, a subject or the server's own words.
#[derive(Debug, Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    server: (String, u16),
}

impl Mailer {
    /// Wraps a transport; `server` is its host and port.
    pub fn new(transport: AsyncSmtpTransport<Tokio1Executor>, server: (String, u16)) -> Self {
        Self { transport, server }
    }

    /// Hands a mail to the server.
    ///
    /// # Errors
    /// When the server refuses it or cannot be reached.
    pub async fn send(&self, message: Message) -> Result<(), Error> {
        let (address, port) = &self.server;
        let span = info_span!(
            target: TARGET,
            "smtp client",
            otel.name = "SMTP submit",
            otel.kind = "client",
            network.protocol.name = "smtp",
            server.address = address,
            server.port = i64::from(*port),
        );
        let unfinished = Unfinished::new(&span);
        let answer = self.transport.send(message).instrument(span.clone()).await;
        unfinished.finished();
        match answer {
            Ok(response) => {
                span.set_attribute("smtp.response.status_code", i64::from(u16::from(response.code())));
                Ok(())
            }
            Err(error) => {
                if let Some(code) = error.status() {
                    span.set_attribute("smtp.response.status_code", i64::from(u16::from(code)));
                }
                fail(&span, class(&error));
                Err(error)
            }
        }
    }
}

fn class(error: &Error) -> &'static str {
    if error.is_permanent() {
        "permanent"
    } else if error.is_transient() {
        "transient"
    } else if error.is_timeout() {
        "timeout"
    } else {
        "connection"
    }
}
