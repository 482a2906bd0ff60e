//! Values that are a word in SQL and an enum in protobuf, each declared once. A test compares the words with the CHECK
//! constraints of the migrations.

use proto::{data as wire, domain};

/// The field of a message whose value is unspecified, or is not one that is stored.
#[derive(Debug)]
pub(crate) struct Unspecified(pub(crate) &'static str);

macro_rules! value {
    (
        $(#[doc = $doc:literal])+
        $name:ident = $wire:ty, $field:literal { $($variant:ident = $word:literal),+ $(,)? }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
        #[sqlx(type_name = "text")]
        pub(crate) enum $name {
            $(#[sqlx(rename = $word)] $variant),+
        }

        #[cfg(test)]
        impl $name {
            pub(crate) const WORDS: &[&str] = &[$($word),+];
        }

        impl From<$name> for $wire {
            fn from(value: $name) -> Self {
                match value {
                    $($name::$variant => Self::$variant),+
                }
            }
        }

        impl From<$name> for i32 {
            fn from(value: $name) -> Self {
                <$wire>::from(value).into()
            }
        }

        impl TryFrom<$wire> for $name {
            type Error = Unspecified;

            fn try_from(value: $wire) -> Result<Self, Unspecified> {
                match value {
                    $(<$wire>::$variant => Ok(Self::$variant),)+
                    _ => Err(Unspecified($field)),
                }
            }
        }
    };
}

value! {
    /// Whether a report is accepted as it is, or held until a nurse has looked at it.
    Disposition = domain::Disposition, "disposition" { Accepted = "accepted", Held = "held" }
}

value! {
    /// A nurse's verdict on a revision.
    ReviewOutcome = domain::ReviewOutcome, "outcome" {
        Approved = "approved", HasIssues = "has_issues", Rejected = "rejected",
    }
}

value! {
    /// When an assignment is to be filled in: at any time, or once in each window.
    Schedule = wire::Schedule, "schedule" { Event = "event", Scheduled = "scheduled" }
}

value! {
    /// A way to reach a nurse.
    Channel = wire::Channel, "channel" { Sms = "sms", Email = "email" }
}

impl Channel {
    /// The word in metrics and in the log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }
}

/// The state of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum NotificationState {
    Pending,
    Delivered,
    /// Given up.
    Dead,
    /// Given up; it may have been delivered.
    Uncertain,
    /// Given up, because the recipient has left or has no address on this channel.
    Cancelled,
}

impl TryFrom<wire::NotificationState> for NotificationState {
    type Error = Unspecified;

    fn try_from(state: wire::NotificationState) -> Result<Self, Unspecified> {
        match state {
            wire::NotificationState::Dead => Ok(Self::Dead),
            wire::NotificationState::Cancelled => Ok(Self::Cancelled),
            wire::NotificationState::Uncertain => Ok(Self::Uncertain),
            wire::NotificationState::Unspecified => Err(Unspecified("state")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIGRATIONS: [&str; 3] = [
        include_str!("../../migrations/clinical/0001_clinical.sql"),
        include_str!("../../migrations/clinical/0002_domain.sql"),
        include_str!("../../migrations/clinical/0008_uncertain_and_sent_again.sql"),
    ];

    #[test]
    fn the_database_lets_in_the_words_there_are_and_no_others() {
        for (column, words) in [
            ("disposition", Disposition::WORDS),
            ("outcome", ReviewOutcome::WORDS),
            ("schedule", Schedule::WORDS),
            ("channel", Channel::WORDS),
            ("state", &["pending", "delivered", "dead", "uncertain", "cancelled"]),
        ] {
            let check = format!("CHECK ({column} IN ('{}'))", words.join("', '"));
            assert!(MIGRATIONS.iter().any(|migration| migration.contains(&check)), "{check}");
        }
    }
}
