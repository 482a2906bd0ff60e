//! `SMTP submit` CLIENT spans for lettre.

use lettre::transport::smtp::{self, AsyncSmtpTransport};
use lettre::{AsyncTransport, Message, Tokio1Executor};
use opentelemetry::trace::SpanKind;
use opentelemetry::{KeyValue, StringValue};

use crate::conventions::{NETWORK_PROTOCOL_NAME, SERVER_ADDRESS, SERVER_PORT, SERVICE_PEER_NAME};
use crate::span::Span;
use crate::telemetry::Owner;

pub use smtp::Error;

/// An SMTP transport whose every submission is a CLIENT span. It shows the server and, when the server refuses, its
/// reply code, never an address, a subject or the server's own words.
#[derive(Debug, Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    server: (String, u16),
    peer: Option<&'static str>,
    owner: Owner,
}

impl Mailer {
    /// Wraps a transport; `server` is its host and port.
    pub fn new(transport: AsyncSmtpTransport<Tokio1Executor>, server: (String, u16)) -> Self {
        Self { transport, server, peer: None, owner: Owner::of_caller() }
    }

    /// Shows who is on the other side, by the name one calls it.
    #[must_use]
    pub fn peer(self, name: &'static str) -> Self {
        Self { peer: Some(name), ..self }
    }

    /// Hands a mail to the server.
    ///
    /// # Errors
    /// When the server refuses it or cannot be reached.
    pub async fn send(&self, message: Message) -> Result<(), Error> {
        let (telemetry, parent) = self.owner.inside();
        let span = Span::start(&telemetry.0, parent, SpanKind::Client, || "SMTP submit", || self.attributes());
        let answer = span.attach(self.transport.send(message)).await;
        if let Err(error) = &answer {
            span.fail(class(error));
        }
        span.end();
        answer.map(drop)
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let (address, port) = &self.server;
        let mut attributes = vec![
            KeyValue::new(NETWORK_PROTOCOL_NAME, "smtp"),
            KeyValue::new(SERVER_ADDRESS, address.clone()),
            KeyValue::new(SERVER_PORT, i64::from(*port)),
        ];
        attributes.extend(self.peer.map(|name| KeyValue::new(SERVICE_PEER_NAME, name)));
        attributes
    }
}

/// The server's reply code (RFC 5321, section 4.2), or why there is none.
fn class(error: &Error) -> StringValue {
    match error.status() {
        Some(code) => u16::from(code).to_string().into(),
        None if error.is_timeout() => "timeout".into(),
        None => "connection".into(),
    }
}
