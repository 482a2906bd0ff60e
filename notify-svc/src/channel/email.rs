use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::Context;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
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
    /// How long one mail may take.
    #[serde(with = "humantime_serde")]
    timeout: Duration,
    /// Mails handed over at the same time.
    concurrency: NonZeroUsize,
}

impl Config {
    /// How long one mail takes at most: it may wait that long for its turn, too.
    pub(crate) fn longest(&self) -> Duration {
        self.timeout.saturating_mul(2)
    }
}

/// Mail over SMTP, one connection a mail and no pool: one that is given up in the middle of a dialogue must
/// never serve the next mail, which would take the late replies for its own.
#[derive(Debug)]
pub(crate) struct Email {
    mailer: Mailer,
    from: Mailbox,
    timeout: Duration,
    permits: Semaphore,
}

impl Email {
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        // The parser's own error could quote the URL, and the URL may hold a password.
        let url: Url = config.url.expose_secret().parse().map_err(|_| anyhow::anyhow!("smtp.url is no URL"))?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(config.url.expose_secret())
            .map_err(|_| anyhow::anyhow!("smtp.url is no SMTP URL"))?
            .timeout(Some(config.timeout))
            .build();
        Ok(Self {
            mailer: Mailer::new(transport, server(&url)),
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

    async fn send(&self, message: Message) -> Outcome {
        if message.contact.email.is_empty() {
            return Outcome::NoRecipient;
        }
        let Some(mail) = mail(self.from.clone(), message) else { return Outcome::Rejected };
        let Ok(Ok(_permit)) = timeout(self.timeout, self.permits.acquire()).await else { return Outcome::Busy };
        match timeout(self.timeout, self.mailer.send(mail)).await {
            Ok(Ok(())) => Outcome::Delivered,
            Ok(Err(error)) => outcome(&error),
            Err(_) => Outcome::Timeout,
        }
    }
}

/// Host and port, as the transport takes them from the URL.
fn server(url: &Url) -> (String, u16) {
    let port = match (url.scheme(), url.query()) {
        ("smtps", _) => 465,
        (_, Some(_)) => 587,
        (_, None) => 25,
    };
    (url.host_str().unwrap_or_default().to_owned(), url.port().unwrap_or(port))
}

/// The mail, if the address is one. Headers are made of parsed addresses and constants: a line break in
/// what an address was made of is no address.
fn mail(from: Mailbox, message: Message) -> Option<lettre::Message> {
    lettre::Message::builder()
        .message_id(Some(format!("<{}@{}>", message.notification_id, from.email.domain())))
        .from(from)
        .to(Mailbox::new(None, message.contact.email.parse().ok()?))
        .subject(if message.urgent { URGENT_SUBJECT } else { SUBJECT })
        .header(ContentType::TEXT_PLAIN)
        // RFC 3834: so that nobody's absence is told to us.
        .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()))
        .body(message.text)
        .ok()
}

/// What a mail that was not taken came to.
fn outcome(error: &Error) -> Outcome {
    /// What a server says of a mailbox, RFC 5321: nobody, not here, full, no name at all. Whatever else it refuses
    /// for good, such as us (530, 535, 554), is not the address's fault: the mail waits for somebody to put it
    /// right. Of which command an answer is the transport does not tell: a sender that is no mailbox costs mails.
    const NO_MAILBOX: [u16; 4] = [550, 551, 552, 553];
    match error.status().map(u16::from) {
        Some(code) if NO_MAILBOX.contains(&code) => Outcome::Rejected,
        Some(_) => Outcome::ProviderError { retry_after: None },
        None if error.is_timeout() => Outcome::Timeout,
        None => Outcome::Connection,
    }
}

#[cfg(test)]
mod tests;
