//! The idempotency key of a message, by which a provider recognises a duplicate.

use std::collections::BTreeSet;

use proto::data::Notification;
use uuid::Uuid;

/// The notification's id, or a UUID made from the ids of all notifications in the message. With other companions it is
/// another message: if a provider took it for a duplicate, nobody would be notified of them.
pub(super) fn key(notification: &Notification) -> String {
    let Notification { notification_id, companions, .. } = notification;
    if companions.is_empty() {
        return notification_id.clone();
    }
    let ids: BTreeSet<_> =
        companions.iter().map(|companion| &companion.notification_id).chain([notification_id]).collect();
    let name: String = ids.into_iter().map(String::as_str).collect();
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use proto::data as pb;

    use super::*;

    #[test]
    fn a_message_is_a_repetition_only_if_it_is_about_the_same() {
        let about = |first: &str, others: &[&str]| {
            let companion = |id: &&str| pb::Companion { notification_id: (*id).to_owned(), attempt: 1 };
            key(&Notification {
                notification_id: first.to_owned(),
                companions: others.iter().map(companion).collect(),
                ..Notification::default()
            })
        };
        assert_eq!(about("a", &[]), "a");
        assert_eq!(about("a", &["b", "c"]), about("b", &["c", "a"]));
        let keys = [about("a", &[]), about("a", &["b"]), about("a", &["c"]), about("a", &["b", "c"])];
        assert_eq!(BTreeSet::from(keys).len(), 4);
    }
}
