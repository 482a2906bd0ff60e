//! `SMTP submit` CLIENT spans for lettre.

mod dialogue;
mod error;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use lettre::Message;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls};
use lettre::transport::smtp::extension::ClientId;
use opentelemetry::trace::SpanKind;
use opentelemetry::{KeyValue, StringValue};

use crate::conventions::{NETWORK_PROTOCOL_NAME, SERVER_ADDRESS, SERVER_PORT, SERVICE_PEER_NAME};
use crate::idle::Idle;
use crate::span::Span;
use crate::telemetry::Owner;

pub use error::{Command, EnhancedCode, Error, Reply};

/// A mail server and how to reach it.
#[derive(Debug, Clone)]
pub struct Server {
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub credentials: Option<Credentials>,
    /// The name in EHLO: the machine's name in the DNS (RFC 5321, section 4.1.4).
    pub hello_name: ClientId,
    /// The time limit from the beginning until the server waits for the text.
    pub timeout: Duration,
    /// The time limit of the text and the answer to it. RFC 5321, section 4.5.3.2.6, asks for ten minutes: after an
    /// earlier end it is unknown whether the mail was taken.
    pub answer_timeout: Duration,
}

impl Server {
    /// How long one mail takes at most.
    pub fn longest(&self) -> Duration {
        self.timeout.saturating_add(self.answer_timeout).saturating_add(dialogue::GOODBYE)
    }
}

/// Submits mails to a server over connections that are kept for a while. Each mail is a CLIENT span. It shows the
/// server and, if the server refuses, its reply code, but never an address, a subject or the server's own words.
#[derive(Debug, Clone)]
pub struct Mailer {
    server: Server,
    idle: Arc<Idle<AsyncSmtpConnection>>,
    peer: Option<&'static str>,
    owner: Owner,
}

impl Mailer {
    pub fn new(server: Server) -> Self {
        let idle = Arc::new(Idle::new(dialogue::KEPT, |connection| dialogue::leave(connection).boxed()));
        Self { server, idle, peer: None, owner: Owner::of_caller() }
    }

    /// Sets the name of the other side that the span shows.
    #[must_use]
    pub fn peer(self, name: &'static str) -> Self {
        Self { peer: Some(name), ..self }
    }

    /// Submits a mail to the server.
    ///
    /// # Errors
    /// When the server refuses it or cannot be reached, and when it is unknown whether the server has taken it.
    pub async fn send(&self, message: &Message) -> Result<(), Error> {
        let (telemetry, parent) = self.owner.inside();
        let span = Span::start(&telemetry.0, parent, SpanKind::Client, || "SMTP submit", || self.attributes());
        let answer = span.attach(dialogue::submit(&self.server, &self.idle, message)).await;
        if let Err(error) = &answer {
            span.fail(class(*error));
        }
        span.end();
        answer
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new(NETWORK_PROTOCOL_NAME, "smtp"),
            KeyValue::new(SERVER_ADDRESS, self.server.host.clone()),
            KeyValue::new(SERVER_PORT, i64::from(self.server.port)),
        ];
        attributes.extend(self.peer.map(|name| KeyValue::new(SERVICE_PEER_NAME, name)));
        attributes
    }
}

/// The server's reply code (RFC 5321, section 4.2), or why there is none.
fn class(error: Error) -> StringValue {
    match error {
        Error::Refused { reply, .. } => reply.code.to_string().into(),
        Error::Timeout => "timeout".into(),
        Error::Connection => "connection".into(),
        Error::Unable => "unable".into(),
        Error::Unanswered => "unanswered".into(),
    }
}
