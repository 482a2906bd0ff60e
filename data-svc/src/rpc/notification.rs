//! Notifications on the wire and in the store.

use proto::data as pb;

use crate::error::DataError;
use crate::store::notification::Claimed;

pub(super) fn claimed(claim: &Claimed) -> Result<pb::Notification, DataError> {
    Ok(pb::Notification {
        notification_id: claim.notification_id.to_string(),
        site_id: claim.site_id.to_string(),
        recipient_id: claim.recipient_id.to_string(),
        channel: channel(&claim.channel)?.into(),
        attempt: claim.attempts.unsigned_abs(),
        urgent: claim.urgent,
    })
}

pub(super) fn channel(name: &str) -> Result<pb::Channel, DataError> {
    match name {
        "sms" => Ok(pb::Channel::Sms),
        "email" => Ok(pb::Channel::Email),
        _ => Err(DataError::Malformed("channel")),
    }
}

pub(super) fn channel_names(channels: impl Iterator<Item = pb::Channel>) -> Result<Vec<String>, DataError> {
    let name = |channel| match channel {
        pb::Channel::Sms => Ok("sms".to_owned()),
        pb::Channel::Email => Ok("email".to_owned()),
        pb::Channel::Unspecified => Err(DataError::Malformed("channels")),
    };
    channels.map(name).collect()
}
