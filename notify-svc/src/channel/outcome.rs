use std::time::Duration;

use proto::data as pb;

/// The outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The provider has accepted the message.
    Delivered,
    /// The nurse has left, or has no address on this channel.
    NoRecipient,
    /// The stored address of the nurse is invalid, so nothing was sent.
    Unaddressable,
    /// The provider has refused the message permanently.
    Rejected,
    /// The provider works, but does not accept this message now: it has no room for this nurse, or refuses the sender,
    /// the recipient or the content.
    Deferred,
    /// Too many other messages were being sent: no attempt was made.
    Busy,
    /// Timeout before the message was handed over.
    Timeout,
    /// The provider asks for fewer messages, and may say for how long.
    Throttled { retry_after: Option<Duration> },
    /// The provider failed, has no room now, or does not accept our account. It may say until when.
    ProviderError { retry_after: Option<Duration> },
    /// The provider was not reached, or closed the connection before the message was handed over.
    Connection,
    /// The message was handed over, but the provider has not answered, so it may have been delivered.
    Uncertain,
    /// The attempt panicked on our side.
    Panic,
}

impl Outcome {
    /// How long the provider asks us to wait.
    pub(crate) fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } | Self::ProviderError { retry_after } => retry_after,
            _ => None,
        }
    }

    /// As what the attempt is recorded; none where there was no attempt.
    pub(crate) fn recorded(self) -> Option<pb::Outcome> {
        match self {
            Self::Delivered => Some(pb::Outcome::Delivered),
            Self::NoRecipient => Some(pb::Outcome::NoRecipient),
            Self::Unaddressable | Self::Rejected => Some(pb::Outcome::Rejected),
            Self::Deferred => Some(pb::Outcome::Deferred),
            Self::Busy => None,
            Self::Timeout => Some(pb::Outcome::Timeout),
            Self::Throttled { .. } => Some(pb::Outcome::Throttled),
            Self::ProviderError { .. } => Some(pb::Outcome::ProviderError),
            Self::Connection => Some(pb::Outcome::Connection),
            Self::Uncertain => Some(pb::Outcome::Uncertain),
            Self::Panic => Some(pb::Outcome::Panic),
        }
    }

    /// Whether the provider works; `None` if the attempt has not shown it. It works only if its answer was about this
    /// message.
    pub(crate) fn provider_is_well(self) -> Option<bool> {
        match self {
            Self::Delivered | Self::Rejected | Self::Deferred => Some(true),
            Self::Timeout
            | Self::Throttled { .. }
            | Self::ProviderError { .. }
            | Self::Connection
            | Self::Uncertain => Some(false),
            Self::NoRecipient | Self::Unaddressable | Self::Busy | Self::Panic => None,
        }
    }

    /// The word for it on spans and in the records.
    pub(crate) fn class(&self) -> &'static str {
        self.recorded().map_or("busy", pb::Outcome::as_str)
    }
}
