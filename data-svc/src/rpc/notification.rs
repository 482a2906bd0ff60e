//! Converts notifications between the store and protobuf, and groups them into messages.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use proto::data as pb;
use service_kit::database::StoreError;
use telemetry::postgres::Db;
use uuid::Uuid;

use super::parse;
use crate::error::DataError;
use crate::quiet_hours::QuietHours;
use crate::store;
use crate::store::notification::Claimed;
use crate::values::Channel;

/// The claims that may be delivered now. The others are released until the quiet hours of their site end. Quiet hours
/// are checked here, just before delivery, because retries, resends and escalations do not take them into account.
pub(super) async fn outside_quiet_hours(db: &Db, claims: Vec<Claimed>) -> Result<Vec<Claimed>, StoreError> {
    let held: Vec<_> = claims.iter().filter_map(|claim| Some((claim, quiet_until(claim)?))).collect();
    if !held.is_empty() {
        store::notification::put_back(db, &held).await?;
    }
    Ok(claims.into_iter().filter(|claim| quiet_until(claim).is_none()).collect())
}

/// The end of the quiet hours in which it was claimed. `None` if its nurse can be notified now.
fn quiet_until(claim: &Claimed) -> Option<DateTime<Utc>> {
    QuietHours::parse(claim.quiet_hours.as_deref()?)?.end(claim.claimed_at)
}

/// Claims that are delivered in one message: the first one, and its companions.
pub(super) type Together = Vec<Claimed>;

/// Groups claims that may be delivered in one message: gathered ones for the same nurse, channel and site; of reports
/// of another site, also for the same study. Claims with different numbers of attempts are not mixed, so that a retry
/// mostly contains the same notifications as the attempt before, and a provider can recognise the duplicate.
pub(super) fn together(claims: Vec<Claimed>) -> Vec<Together> {
    let mut told: Vec<Together> = Vec::new();
    let mut places = HashMap::new();
    for claim in claims {
        if !claim.gathered {
            told.push(vec![claim]);
            continue;
        }
        let kind = (claim.site_id, claim.recipient_id, claim.channel, claim.study_id, claim.attempts);
        if let Some(together) = places.get(&kind).and_then(|place: &usize| told.get_mut(*place)) {
            together.push(claim);
        } else {
            places.insert(kind, told.len());
            told.push(vec![claim]);
        }
    }
    told
}

pub(super) fn claimed(claim: &Claimed, companions: &[Claimed]) -> pb::Notification {
    pb::Notification {
        notification_id: claim.notification_id.to_string(),
        site_id: claim.site_id.to_string(),
        recipient_id: claim.recipient_id.to_string(),
        channel: claim.channel.into(),
        attempt: claim.attempts.unsigned_abs(),
        urgent: claim.urgent,
        study_id: claim.study_id.map(|id| id.to_string()),
        companions: companions.iter().map(companion).collect(),
    }
}

fn companion(claim: &Claimed) -> pb::Companion {
    pb::Companion { notification_id: claim.notification_id.to_string(), attempt: claim.attempts.unsigned_abs() }
}

/// The trace context in which a claimed notification was created.
pub(super) fn trace_context(claim: &Claimed) -> pb::TraceContext {
    pb::TraceContext { traceparent: claim.traceparent.clone(), tracestate: claim.tracestate.clone() }
}

/// The ids and attempt numbers of a claimed notification and of its companions.
pub(super) fn attempts(
    notification_id: &str,
    attempt: u32,
    companions: &[pb::Companion],
) -> Result<(Vec<Uuid>, Vec<i32>), DataError> {
    let companions = companions.iter().map(|companion| (companion.notification_id.as_str(), companion.attempt));
    [(notification_id, attempt)]
        .into_iter()
        .chain(companions)
        .map(|(notification_id, attempt)| {
            let attempt = i32::try_from(attempt).map_err(|_| DataError::Malformed("attempt"))?;
            Ok((parse::id("notification_id", notification_id)?, attempt))
        })
        .collect()
}

pub(super) fn channels(channels: impl Iterator<Item = pb::Channel>) -> Result<Vec<Channel>, DataError> {
    channels.map(|channel| Ok(channel.try_into()?)).collect()
}
