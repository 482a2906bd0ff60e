//! Text messages, through one of several providers.
//!
//! To add one, write `sms/<name>.rs` and add its line to [`ProviderId`] and [`provider`].

mod twilio;

use std::num::NonZeroUsize;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Channel, Message, Outcome};

/// The `sms:` block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    provider: ProviderId,
    /// `https://host`
    url: String,
    /// Our account at the provider, also the user name.
    account: String,
    /// The account's secret.
    token: SecretString,
    /// The sender's number, E.164.
    from: String,
    /// How long one message may take.
    #[serde(with = "humantime_serde")]
    timeout: Duration,
    /// Messages handed over at the same time.
    concurrency: NonZeroUsize,
}

/// The providers there are.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ProviderId {
    /// Twilio's Messages API, which others offer too.
    Twilio,
}

/// Somebody who sends text messages for us.
#[tonic::async_trait]
trait Provider: std::fmt::Debug + Send + Sync {
    /// Hands over one message to the number `to` (E.164). `key` is the same for every attempt.
    async fn submit(&self, to: &str, text: &str, key: &str) -> Outcome;
}

impl Config {
    /// How long one message takes at most: it may wait that long for its turn, too.
    pub(crate) fn longest(&self) -> Duration {
        self.timeout.saturating_mul(2)
    }
}

fn provider(config: &Config) -> anyhow::Result<Box<dyn Provider>> {
    match config.provider {
        ProviderId::Twilio => Ok(Box::new(twilio::Twilio::new(config)?)),
    }
}

/// Text messages.
#[derive(Debug)]
pub(crate) struct Sms {
    provider: Box<dyn Provider>,
    timeout: Duration,
    permits: Semaphore,
}

impl Sms {
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let permits = Semaphore::new(config.concurrency.get());
        Ok(Self { provider: provider(config)?, timeout: config.timeout, permits })
    }
}

#[tonic::async_trait]
impl Channel for Sms {
    fn name(&self) -> &'static str {
        "sms"
    }

    fn task(&self) -> &'static str {
        "send sms"
    }

    async fn send(&self, message: Message) -> Outcome {
        let to = &message.contact.phone;
        if to.is_empty() {
            return Outcome::NoRecipient;
        }
        let Ok(Ok(_permit)) = timeout(self.timeout, self.permits.acquire()).await else { return Outcome::Busy };
        let submitted = timeout(self.timeout, self.provider.submit(to, &message.text, &message.notification_id));
        submitted.await.unwrap_or(Outcome::Timeout)
    }
}
