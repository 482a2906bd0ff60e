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

use super::{Channel, Message, Outcome};

const SUBJECT: &str = "ePRO: a new report needs review";
const URGENT_SUBJECT: &str = "URGENT ePRO: a new report needs review";

const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// The `smtp:` block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// `smtp://[user:password@]host[:port][?tls=required]`, or `smtps://` for TLS from the first byte.
    url: SecretString,
    /// The sender, `Name <address>`.
    from: String,
    /// What we call ourselves, a name in the DNS; empty for the machine's.
    hello_name: String,
    /// How long a mail may wait for its turn, and after that how long the server may take until it is ready for the
    /// text.
    #[serde(with = "humantime_serde")]
    timeout: Duration,
    /// How long the text and the answer to it may take.
    #[serde(with = "humantime_serde")]
    answer_timeout: Duration,
    /// Mails handed over at the same time.
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
impl Channel for Email {
    fn name(&self) -> &'static str {
        "email"
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
            // RFC 6531: it may have no way to send to such an address, and be well for all others.
            Err(Error::Unable) if is_international => Outcome::Deferred,
            Err(Error::Unable) => Outcome::ProviderError { retry_after: None },
            Err(Error::Timeout) => Outcome::Timeout,
            Err(Error::Connection) => Outcome::Connection,
            Err(Error::Unanswered) => Outcome::Uncertain,
        }
    }
}

/// The mail, if the address is one. Headers are made of parsed addresses and constants: a line break in
/// what an address was made of is no address.
fn mail(from: Mailbox, message: Message) -> Option<lettre::Message> {
    lettre::Message::builder()
        .message_id(Some(format!("<{}@{}>", message.key, from.email.domain())))
        .from(from)
        .to(Mailbox::new(None, message.contact.email?.parse().ok()?))
        .subject(if message.urgent { URGENT_SUBJECT } else { SUBJECT })
        .header(ContentType::TEXT_PLAIN)
        // RFC 3834: so that nobody's absence is told to us.
        .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()))
        .body(message.text)
        .ok()
}

#[cfg(test)]
mod tests;
