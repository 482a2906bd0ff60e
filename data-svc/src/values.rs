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

        #[allow(dead_code, reason = "not all of them are enumerated or shown")]
        impl $name {
            /// All values.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),+];

            #[cfg(test)]
            const WORDS: &[&str] = &[$($word),+];

            /// The word in SQL, also in metrics and in the log.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
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
    use std::collections::HashMap;
    use std::path::Path;

    use super::*;

    /// The words that the CHECK constraints allow, by table and column. A later migration replaces the constraint of an
    /// earlier one.
    fn checks() -> HashMap<(String, String), Vec<String>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/clinical");
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let mut checks = HashMap::new();
        for statement in files.iter().flat_map(|file| statements(&std::fs::read_to_string(file).unwrap())) {
            let table = statement.split("TABLE clinical.").nth(1).and_then(|rest| rest.split_whitespace().next());
            let listed = statement.split("CHECK (").skip(1).filter_map(|check| check.split_once(" IN ("));
            for (column, words) in listed {
                let words = words.split(')').next().unwrap().split(',');
                let words = words.map(|word| word.trim().trim_matches('\'').to_owned()).collect();
                checks.insert((table.unwrap().to_owned(), column.to_owned()), words);
            }
        }
        checks
    }

    fn statements(sql: &str) -> Vec<String> {
        let without_comments: String = sql.lines().flat_map(|line| [line.split("--").next().unwrap(), "\n"]).collect();
        without_comments.split(';').map(str::to_owned).collect()
    }

    #[test]
    fn the_database_lets_in_the_words_there_are_and_no_others() {
        let checks = checks();
        for (table, column, words) in [
            ("report", "disposition", Disposition::WORDS),
            ("review", "outcome", ReviewOutcome::WORDS),
            ("assignment", "schedule", Schedule::WORDS),
            ("notification", "channel", Channel::WORDS),
            ("notification", "state", &["pending", "delivered", "dead", "uncertain", "cancelled"]),
        ] {
            assert_eq!(checks[&(table.to_owned(), column.to_owned())], words, "{table}.{column}");
        }
    }
}
