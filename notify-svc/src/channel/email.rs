use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::Context;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use reqwest::Url;
use serde::Deserialize;
use telemetry::smtp::Mailer;
use tokio::sync::Semaphore;

use super::{Channel, Message, Outcome};

/// The `smtp:` block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// `smtp://[user:password@]host:port`
    url: String,
    /// The sender, `Name <address>`.
    from: String,
    /// How long one mail may take.
    #[serde(with = "humantime_serde")]
    timeout: Duration,
    /// Mails handed over at the same time.
    concurrency: NonZeroUsize,
}

/// Mail over SMTP, one connection a mail: one that is given up in the middle of a dialogue must never
/// serve the next mail, which would take the late replies for its own.
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
        let url: Url = config.url.parse().map_err(|_| anyhow::anyhow!("smtp.url is no URL"))?;
        let server = (url.host_str().unwrap_or_default().to_owned(), url.port().unwrap_or(25));
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&config.url)
            .map_err(|_| anyhow::anyhow!("smtp.url is no SMTP URL"))?
            .timeout(Some(config.timeout))
            .build();
        Ok(Self {
            mailer: Mailer::new(transport, server),
            from: config.from.parse().context("smtp.from is no mailbox")?,
            timeout: config.timeout,
            permits: Semaphore::new(config.concurrency.get()),
        })
    }
}

#[tonic::async_trait]
impl Channel for Email {
    fn task(&self) -> &'static str {
        "send email"
    }

    fn template(&self) -> &'static str {
        "email"
    }

    async fn send(&self, message: Message) -> Outcome {
        if message.contact.email.is_empty() {
            return Outcome::NoRecipient;
        }
        let Some(mail) = mail(self.from.clone(), message) else { return Outcome::Permanent };
        let waiting = tokio::time::timeout(self.timeout, self.permits.acquire());
        let Ok(Ok(_permit)) = waiting.await else { return Outcome::Temporary { retry_after: None } };
        match tokio::time::timeout(self.timeout, self.mailer.send(mail)).await {
            Ok(Ok(())) => Outcome::Delivered,
            Ok(Err(error)) if error.is_permanent() => Outcome::Permanent,
            Ok(Err(_)) | Err(_) => Outcome::Temporary { retry_after: None },
        }
    }
}

/// The mail, if the address is one.
fn mail(from: Mailbox, message: Message) -> Option<lettre::Message> {
    lettre::Message::builder()
        .message_id(Some(format!("<{}@{}>", message.notification_id, from.email.domain())))
        .from(from)
        .to(Mailbox::new(None, message.contact.email.parse().ok()?))
        .subject("ePRO: a new report needs review")
        .header(ContentType::TEXT_PLAIN)
        .body(message.text)
        .ok()
}
