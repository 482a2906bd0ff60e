//! What a provider tells a repetition by.

use std::collections::BTreeSet;

use proto::data::Notification;
use uuid::Uuid;

/// What tells a message from others: the notification's id, or a name made of the ids of all that it is about. With other
/// companions it is another message, which no provider may take for a repetition: they would be told of by nobody.
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
