//! Text messages, through a provider.

mod twilio;

use std::num::NonZeroUsize;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Message, Outcome, Sender};
use twilio::Twilio;

/// The template of a message.
pub(crate) const TEMPLATE: &str = include_str!("../../../templates/sms.txt");

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
    /// How long a message may wait for its turn, and after that, how long connecting to the provider may take.
    #[serde(with = "humantime_serde")]
    timeout: Duration,
    /// How long the request and its answer may take.
    #[serde(with = "humantime_serde")]
    answer_timeout: Duration,
    /// Messages that are sent at the same time.
    concurrency: NonZeroUsize,
}

/// The supported providers.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ProviderId {
    /// Twilio's Messages API, which others offer too.
    Twilio,
}

impl Config {
    /// How long one message may take after the wait for its turn.
    fn limit(&self) -> Duration {
        self.timeout.saturating_add(self.answer_timeout)
    }
}

/// Text messages.
#[derive(Debug)]
pub(crate) struct Sms {
    provider: Twilio,
    timeout: Duration,
    limit: Duration,
    permits: Semaphore,
}

impl Sms {
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let permits = Semaphore::new(config.concurrency.get());
        let ProviderId::Twilio = config.provider;
        Ok(Self { provider: Twilio::new(config)?, timeout: config.timeout, limit: config.limit(), permits })
    }
}

#[tonic::async_trait]
impl Sender for Sms {
    fn name(&self) -> &'static str {
        "sms"
    }

    fn template(&self) -> &'static str {
        TEMPLATE
    }

    fn task(&self) -> &'static str {
        "send sms"
    }

    fn longest(&self) -> Duration {
        self.timeout.saturating_add(self.limit)
    }

    async fn send(&self, message: Message) -> Outcome {
        let Some(to) = &message.contact.phone else { return Outcome::NoRecipient };
        let Ok(Ok(_permit)) = timeout(self.timeout, self.permits.acquire()).await else { return Outcome::Busy };
        let submitted = timeout(self.limit, self.provider.submit(to, &message.text, &message.key));
        submitted.await.unwrap_or(Outcome::Uncertain)
    }
}
