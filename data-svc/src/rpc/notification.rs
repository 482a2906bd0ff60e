//! Notifications on the wire and in the store.

use std::collections::HashMap;

use proto::data as pb;

use service_kit::database::StoreError;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;
use crate::store::notification::Claimed;

/// What of these claims can be told now. A claim is the last moment to see that a site has its quiet hours,
/// whatever has put the notification off until then; the others are given back until those end.
pub(super) async fn outside_quiet_hours(db: &Db, claims: Vec<Claimed>) -> Result<Vec<Claimed>, StoreError> {
    let held: Vec<_> = claims.iter().filter_map(|claim| Some((claim, claim.quiet_until()?))).collect();
    if !held.is_empty() {
        store::notification::put_back(db, &held).await?;
    }
    Ok(claims.into_iter().filter(|claim| claim.quiet_until().is_none()).collect())
}

/// Claims that are told in one message: the first is told, the others come with it.
pub(super) type Together = Vec<Claimed>;

/// Puts together what may be told in one message: what is gathered for one nurse and channel at one site, and, of
/// another site's reports, in one study. What has been tried before stays with what was tried with it, mostly, so that
/// a provider can tell the repetition.
pub(super) fn together(claims: Vec<Claimed>) -> Vec<Together> {
    let mut told: Vec<Together> = Vec::new();
    let mut places = HashMap::new();
    for claim in claims {
        if !claim.gathered {
            told.push(vec![claim]);
            continue;
        }
        let kind = (claim.site_id, claim.recipient_id, claim.channel.clone(), claim.study_id, claim.attempts);
        if let Some(together) = places.get(&kind).and_then(|place: &usize| told.get_mut(*place)) {
            together.push(claim);
        } else {
            places.insert(kind, told.len());
            told.push(vec![claim]);
        }
    }
    told
}

pub(super) fn claimed(claim: &Claimed, companions: &[Claimed]) -> Result<pb::Notification, DataError> {
    Ok(pb::Notification {
        notification_id: claim.notification_id.to_string(),
        site_id: claim.site_id.to_string(),
        recipient_id: claim.recipient_id.to_string(),
        channel: channel(&claim.channel)?.into(),
        attempt: claim.attempts.unsigned_abs(),
        urgent: claim.urgent,
        project_id: parse::text(claim.study_id),
        companions: companions.iter().map(companion).collect(),
    })
}

fn companion(claim: &Claimed) -> pb::Companion {
    pb::Companion { notification_id: claim.notification_id.to_string(), attempt: claim.attempts.unsigned_abs() }
}

/// Where a claimed notification was created, which is the same for all of one report.
pub(super) fn trace_context(claim: &Claimed) -> pb::TraceContext {
    pb::TraceContext { traceparent: claim.traceparent.clone(), tracestate: claim.tracestate.clone() }
}

pub(super) fn channel(name: &str) -> Result<pb::Channel, DataError> {
    match name {
        "sms" => Ok(pb::Channel::Sms),
        "email" => Ok(pb::Channel::Email),
        _ => Err(DataError::Malformed("channel")),
    }
}

pub(super) fn channel_names(channels: impl Iterator<Item = pb::Channel>) -> Result<Vec<String>, DataError> {
    channels.map(|channel| channel_name(channel).map(str::to_owned)).collect()
}

pub(super) fn channel_name(channel: pb::Channel) -> Result<&'static str, DataError> {
    match channel {
        pb::Channel::Sms => Ok("sms"),
        pb::Channel::Email => Ok("email"),
        pb::Channel::Unspecified => Err(DataError::Malformed("channel")),
    }
}
