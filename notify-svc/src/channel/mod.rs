//! The ways to reach a nurse.
//!
//! To add one, write `channel/<name>.rs` with its template and add its line to [`Channels`].

pub(crate) mod email;
mod outcome;
pub(crate) mod sms;

use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::data::Channel as ChannelId;
use proto::user::Contact;

pub(crate) use outcome::Outcome;

use crate::breaker::{self, Breaker, Circuit};

/// One message for one nurse.
#[derive(Debug)]
pub(crate) struct Message {
    /// The idempotency key: the same for every attempt to send the same message, so that a provider can recognise a
    /// duplicate.
    pub(crate) key: String,
    pub(crate) contact: Contact,
    pub(crate) urgent: bool,
    pub(crate) text: String,
}

/// A way to reach a nurse.
#[tonic::async_trait]
pub(crate) trait Channel: std::fmt::Debug + Send + Sync {
    /// Its name, also that of the message's template.
    fn name(&self) -> &'static str;

    /// Name of the span that sends, as the trace shows it.
    fn task(&self) -> &'static str;

    /// How long one message takes at most, including the wait for its turn.
    fn longest(&self) -> Duration;

    /// Sends the message through the provider, within the channel's own timeouts.
    async fn send(&self, message: Message) -> Outcome;
}

/// A channel and whether its provider is to be left alone.
#[derive(Debug)]
pub(crate) struct GuardedChannel {
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) breaker: Breaker,
}

/// The registry of channels.
#[derive(Debug)]
pub(crate) struct Channels {
    sms: GuardedChannel,
    email: GuardedChannel,
}

impl Channels {
    pub(crate) fn new(sms: &sms::Config, email: &email::Config, breaker: breaker::Config) -> anyhow::Result<Self> {
        let guarded = |channel| GuardedChannel { channel, breaker: Breaker::new(breaker) };
        Ok(Self { sms: guarded(Arc::new(sms::Sms::new(sms)?)), email: guarded(Arc::new(email::Email::new(email)?)) })
    }

    /// How long the slowest message takes at most.
    pub(crate) fn longest(&self) -> Duration {
        self.sms.channel.longest().max(self.email.channel.longest())
    }

    pub(crate) fn get(&self, id: ChannelId) -> Option<&GuardedChannel> {
        match id {
            ChannelId::Sms => Some(&self.sms),
            ChannelId::Email => Some(&self.email),
            ChannelId::Unspecified => None,
        }
    }

    /// The channels whose providers are to be given so much now.
    pub(crate) fn with_circuit(&self, circuit: Circuit, now: Instant) -> Vec<ChannelId> {
        let lines = [(ChannelId::Sms, &self.sms), (ChannelId::Email, &self.email)];
        lines.into_iter().filter(|(_, line)| line.breaker.circuit(now) == circuit).map(|(id, _)| id).collect()
    }
}
