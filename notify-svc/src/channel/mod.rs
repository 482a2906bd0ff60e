//! The ways to reach a nurse.
//!
//! To add one, write `channel/<name>.rs` with its template and add its line to [`Channels::get`].

pub(crate) mod email;
pub(crate) mod sms;

use std::sync::Arc;
use std::time::Duration;

use proto::data::Channel as ChannelId;
use proto::user::Contact;

/// One message for one nurse.
#[derive(Debug)]
pub(crate) struct Message {
    /// The same for every attempt, so that a provider can tell a repetition.
    pub(crate) notification_id: String,
    pub(crate) contact: Contact,
    pub(crate) text: String,
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The provider took it.
    Delivered,
    /// Another try may do better, after this long if the provider said so.
    Temporary { retry_after: Option<Duration> },
    /// No other try would do better.
    Permanent,
    /// The nurse has left or has no address here.
    NoRecipient,
}

/// A way to reach a nurse.
#[tonic::async_trait]
pub(crate) trait Channel: std::fmt::Debug + Send + Sync {
    /// Name of the task that sends, as the trace shows it.
    fn task(&self) -> &'static str;

    /// Name of the message's template.
    fn template(&self) -> &'static str;

    /// Hands the message to the provider, within the channel's own time limit.
    async fn send(&self, message: Message) -> Outcome;
}

/// The registry of channels.
#[derive(Debug)]
pub(crate) struct Channels {
    sms: Arc<dyn Channel>,
    email: Arc<dyn Channel>,
}

impl Channels {
    pub(crate) fn new(sms: sms::Config, email: &email::Config) -> anyhow::Result<Self> {
        Ok(Self { sms: Arc::new(sms::Sms::new(sms)?), email: Arc::new(email::Email::new(email)?) })
    }

    pub(crate) fn get(&self, id: ChannelId) -> Option<&Arc<dyn Channel>> {
        match id {
            ChannelId::Sms => Some(&self.sms),
            ChannelId::Email => Some(&self.email),
            ChannelId::Unspecified => None,
        }
    }
}
