//! The channels on which nurses are notified.
//!
//! To add one, write `channel/<name>.rs` with its template and add its line to [`Senders`].

pub(crate) mod email;
mod outcome;
pub(crate) mod sms;

use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::data::Channel;
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

/// Sends messages on one channel.
#[tonic::async_trait]
pub(crate) trait Sender: std::fmt::Debug + Send + Sync {
    /// The channel's name, also that of the message's template.
    fn name(&self) -> &'static str;

    /// The template of its messages, for minijinja.
    fn template(&self) -> &'static str;

    /// Name of the span that sends, as the trace shows it.
    fn task(&self) -> &'static str;

    /// How long one message takes at most, including the wait for its turn.
    fn longest(&self) -> Duration;

    /// Sends the message through the provider, within the channel's own timeouts.
    async fn send(&self, message: Message) -> Outcome;
}

/// A sender, with the circuit breaker of its provider.
#[derive(Debug)]
pub(crate) struct GuardedSender {
    pub(crate) sender: Arc<dyn Sender>,
    pub(crate) breaker: Breaker,
}

/// A sender for each channel.
#[derive(Debug)]
pub(crate) struct Senders(Vec<(Channel, GuardedSender)>);

impl Senders {
    pub(crate) fn new(sms: &sms::Config, email: &email::Config, breaker: breaker::Config) -> anyhow::Result<Self> {
        let guarded = |sender: Arc<dyn Sender>| GuardedSender { sender, breaker: Breaker::new(breaker) };
        Ok(Self(vec![
            (Channel::Sms, guarded(Arc::new(sms::Sms::new(sms)?))),
            (Channel::Email, guarded(Arc::new(email::Email::new(email)?))),
        ]))
    }

    /// The template of each channel, by the channel's name.
    pub(crate) fn templates(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.iter().map(|(_, guarded)| (guarded.sender.name(), guarded.sender.template()))
    }

    /// How long the slowest message takes at most.
    pub(crate) fn longest(&self) -> Duration {
        self.0.iter().map(|(_, guarded)| guarded.sender.longest()).max().unwrap_or_default()
    }

    pub(crate) fn get(&self, channel: Channel) -> Option<&GuardedSender> {
        self.0.iter().find(|(one, _)| *one == channel).map(|(_, guarded)| guarded)
    }

    /// The channels whose circuit is in this state now.
    pub(crate) fn with_circuit(&self, circuit: Circuit, now: Instant) -> Vec<Channel> {
        let fitting = self.0.iter().filter(|(_, guarded)| guarded.breaker.circuit(now) == circuit);
        fitting.map(|(channel, _)| *channel).collect()
    }
}
