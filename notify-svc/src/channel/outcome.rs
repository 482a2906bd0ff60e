use std::time::Duration;

use service_kit::attribute::DELIVERY_OUTCOME;
use telemetry::Classified;

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The provider took it.
    Delivered,
    /// The nurse has left or has no address here.
    NoRecipient,
    /// What is kept as the nurse's address is none: nobody was asked.
    Unaddressable,
    /// The provider will not take it, whenever it is sent.
    Rejected,
    /// The provider is well and does not take this message now: it has no room for this nurse, or does not like what the
    /// message is from, to or about.
    Deferred,
    /// Too many others were being sent: no attempt was made.
    Busy,
    /// No answer in time, before the message was handed over.
    Timeout,
    /// The provider asks for fewer messages, and perhaps for how long.
    Throttled { retry_after: Option<Duration> },
    /// The provider failed, has no room for it now, or does not know us; perhaps it says until when.
    ProviderError { retry_after: Option<Duration> },
    /// The provider was not reached, or went away before the message was handed over.
    Connection,
    /// The message was handed over and the provider has not said what has become of it.
    Uncertain,
    /// The attempt broke down on our side.
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

    /// Whether the provider is well; `None` when that was not learned. Well is only who has said something of this
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
}

impl Classified for Outcome {
    const ATTRIBUTE: &'static str = DELIVERY_OUTCOME;

    fn class(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::NoRecipient => "no_recipient",
            Self::Unaddressable | Self::Rejected => "rejected",
            Self::Deferred => "deferred",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Throttled { .. } => "throttled",
            Self::ProviderError { .. } => "provider_error",
            Self::Connection => "connection",
            Self::Uncertain => "uncertain",
            Self::Panic => "panic",
        }
    }
}
