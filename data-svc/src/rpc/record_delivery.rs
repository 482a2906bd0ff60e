use std::time::Duration;

use proto::data as pb;
use service_kit::attribute::{DELIVERY_CHANNEL, DELIVERY_OUTCOME};
use telemetry::Counter;
use telemetry::postgres::Db;

use super::notification::attempts;
use super::parse;
use crate::error::DataError;
use crate::store;
use crate::store::delivery_attempt::{Transition, Verdict};
use crate::unnotified;
use crate::values::NotificationState as State;

/// Delivery attempts, by channel and outcome.
static ATTEMPTS: Counter = Counter::new("epro.delivery.attempts", "{attempt}");

/// Notifications that were given up without being delivered.
static DEAD: Counter = Counter::new("epro.notification.dead", "{notification}");

/// Notifications that were given up and may or may not have been delivered.
static UNCERTAIN: Counter = Counter::new("epro.notification.uncertain", "{notification}");

/// Stores one delivery attempt. Updates its notification, and those that were delivered in the same message.
pub(crate) async fn record_delivery(
    db: &Db,
    request: &pb::RecordDeliveryRequest,
) -> Result<pb::RecordDeliveryResponse, DataError> {
    let (ids, attempts) = attempts(&request.notification_id, request.attempt, &request.companions)?;
    let verdict = verdict(request)?;
    let moved = store::delivery_attempt::record(db, &ids, &attempts, &verdict).await?;
    for transition in &moved {
        announce(transition, &verdict);
    }
    let ended = moved.iter().filter(|moved| !matches!(moved.state, State::Pending | State::Delivered));
    let reports: Vec<_> = ended.map(|moved| moved.report_id).collect();
    if !reports.is_empty() {
        // After the commit: if the last two notifications of a report end at the same time, the later check sees both.
        unnotified::record(db, &reports).await?;
    }
    Ok(pb::RecordDeliveryResponse {})
}

/// Counts an attempt, and logs a warning if the message may not have arrived.
fn announce(transition: &Transition, verdict: &Verdict) {
    let Transition { notification_id, attempts, state, channel, .. } = transition;
    let (channel, outcome) = (channel.as_str(), verdict.outcome);
    let attributes = [(DELIVERY_CHANNEL, channel), (DELIVERY_OUTCOME, outcome)];
    ATTEMPTS.add(1, &attributes);
    match state {
        State::Dead => {
            DEAD.add(1, &attributes);
            telemetry::warn!(%notification_id, channel, outcome, attempt = attempts, "notification is dead");
        }
        State::Uncertain => {
            UNCERTAIN.add(1, &attributes);
            telemetry::warn!(%notification_id, channel, outcome, attempt = attempts, "notification is given up as uncertain");
        }
        _ if verdict.uncertain => {
            telemetry::warn!(%notification_id, channel, attempt = attempts, "it is not known whether a notification arrived");
        }
        _ => {}
    }
}

/// What an attempt's outcome means for its notification.
fn verdict(request: &pb::RecordDeliveryRequest) -> Result<Verdict, DataError> {
    let outcome = request.outcome();
    let last = |state| {
        let (retry_after, give_up_after) = (Duration::ZERO, Duration::ZERO);
        Ok(Verdict { outcome: outcome.as_str(), state, uncertain: false, retry_after, give_up_after })
    };
    match outcome {
        pb::Outcome::Delivered => last(State::Delivered),
        pb::Outcome::Rejected => last(State::Dead),
        pb::Outcome::NoRecipient => last(State::Cancelled),
        pb::Outcome::Timeout
        | pb::Outcome::Throttled
        | pb::Outcome::ProviderError
        | pb::Outcome::Connection
        | pb::Outcome::Deferred
        | pb::Outcome::Uncertain
        | pb::Outcome::Panic => Ok(Verdict {
            outcome: outcome.as_str(),
            state: State::Pending,
            uncertain: outcome == pb::Outcome::Uncertain,
            retry_after: parse::duration("retry_after", request.retry_after)?,
            give_up_after: parse::duration("give_up_after", request.give_up_after)?,
        }),
        pb::Outcome::Unspecified => Err(DataError::Malformed("outcome")),
    }
}
