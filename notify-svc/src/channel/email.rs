mod refusal;
mod server;

use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::Context;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use secrecy::SecretString;
use serde::Deserialize;
use telemetry::smtp::{Error, Mailer};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Message, Outcome, Sender};

const SUBJECT: &str = "ePRO: a new report needs review";
const URGENT_SUBJECT: &str = "URGENT ePRO: a new report needs review";

const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// The template of a message.
pub(crate) const TEMPLATE: &str = include_str!("../../templates/email.txt");

/// The `smtp:` block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// `smtp://[user:password@]host[:port][?tls=required]`, or `smtps://` for TLS from the first byte.
    url: SecretString,
    /// The sender, `Name <address>`.
    from: String,
    /// Our name in EHLO, a DNS name; empty for the machine's own name.
    hello_name: String,
    /// How long a mail may wait for its turn, and after that how long the server may take until it is ready for the
    /// text.
    #[serde(with = "humantime_serde")]
    timeout: Duration,
    /// How long the text and its answer may take.
    #[serde(with = "humantime_serde")]
    answer_timeout: Duration,
    /// Mails that are sent at the same time.
    concurrency: NonZeroUsize,
}

/// Mail over SMTP.
#[derive(Debug)]
pub(crate) struct Email {
    mailer: Mailer,
    from: Mailbox,
    timeout: Duration,
    longest: Duration,
    permits: Semaphore,
}

impl Email {
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let server = server::server(config)?;
        Ok(Self {
            longest: config.timeout.saturating_add(server.longest()),
            mailer: Mailer::new(server),
            from: config.from.parse().context("smtp.from is no mailbox")?,
            timeout: config.timeout,
            permits: Semaphore::new(config.concurrency.get()),
        })
    }
}

#[tonic::async_trait]
impl Sender for Email {
    fn name(&self) -> &'static str {
        "email"
    }

    fn template(&self) -> &'static str {
        TEMPLATE
    }

    fn task(&self) -> &'static str {
        "send email"
    }

    fn longest(&self) -> Duration {
        self.longest
    }

    async fn send(&self, message: Message) -> Outcome {
        let Some(address) = &message.contact.email else { return Outcome::NoRecipient };
        let is_international = !address.is_ascii();
        let Some(mail) = mail(self.from.clone(), message) else { return Outcome::Unaddressable };
        let Ok(Ok(_permit)) = timeout(self.timeout, self.permits.acquire()).await else { return Outcome::Busy };
        match self.mailer.send(&mail).await {
            Ok(()) => Outcome::Delivered,
            Err(Error::Refused { command, reply }) => refusal::outcome(command, reply),
            // RFC 6531: the server may be unable to send to an international address and still work for all others.
            Err(Error::Unable) if is_international => Outcome::Deferred,
            Err(Error::Unable) => Outcome::ProviderError { retry_after: None },
            Err(Error::Timeout) => Outcome::Timeout,
            Err(Error::Connection) => Outcome::Connection,
            Err(Error::Unanswered) => Outcome::Uncertain,
        }
    }
}

/// The mail; `None` if the address is invalid. Headers contain only parsed addresses and constants, so a line break in
/// an address cannot add a header.
fn mail(from: Mailbox, message: Message) -> Option<lettre::Message> {
    lettre::Message::builder()
        .message_id(Some(format!("<{}@{}>", message.key, from.email.domain())))
        .from(from)
        .to(Mailbox::new(None, message.contact.email?.parse().ok()?))
        .subject(if message.urgent { URGENT_SUBJECT } else { SUBJECT })
        .header(ContentType::TEXT_PLAIN)
        // RFC 3834: prevents automatic replies, for example of somebody who is away.
        .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()))
        .body(message.text)
        .ok()
}

#[cfg(test)]
mod tests;
