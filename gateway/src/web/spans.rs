//! Spans that a page reports of its own part of a trace.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use http::StatusCode;
use serde::Deserialize;
use telemetry::{InvalidId, Relay, RelayedPlace, RelayedRequest, RelayedTime};

use super::Web;
use crate::caller::Anyone;
use crate::problem::Problem;

/// How far a reported time may be in the past. Older spans say nothing about the trace.
const OLDEST: Duration = Duration::from_mins(15);
/// How far a reported time may be in the future, because pages know the server's clock only approximately.
const NEWEST: Duration = Duration::from_mins(1);
/// Maximum number of attempts of one sending.
const ATTEMPTS: usize = 8;

/// The sending of a report, as its page saw it. Ids are lower-case hexadecimal.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sending {
    /// The trace id from the gateway's `traceresponse`.
    trace_id: String,
    /// The span of the sending; those of its attempts are below.
    span_id: String,
    attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attempt {
    span_id: String,
    /// Microseconds since the Unix epoch, by the page's estimate of the server's clock.
    start: u64,
    end: u64,
    status: Option<u16>,
    error: Option<AttemptError>,
}

/// Why there was no answer.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AttemptError {
    Network,
    Timeout,
}

/// Exports the spans of a page into the trace of its request. Only people who are signed in may report spans.
pub(super) async fn tell(
    State(web): State<Arc<Web>>,
    _: Anyone,
    sending: Result<Json<Sending>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(sending) = sending.map_err(|_| Problem::BAD_REQUEST)?;
    let times = sending.times(SystemTime::now()).ok_or(Problem::BAD_REQUEST)?;
    export(&web.relay, &sending, &times).map_err(|InvalidId| Problem::BAD_REQUEST)?;
    Ok(StatusCode::NO_CONTENT)
}

impl Sending {
    /// The times of the attempts; none if there are no attempts or too many, or if a time is impossible.
    fn times(&self, now: SystemTime) -> Option<Vec<RelayedTime>> {
        let is_few = (1..=ATTEMPTS).contains(&self.attempts.len());
        let times = self.attempts.iter().map(|attempt| {
            let at = |micros: u64| SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(micros));
            let time = RelayedTime { start: at(attempt.start)?, end: at(attempt.end)? };
            let is_recent = time.start >= now.checked_sub(OLDEST)? && time.end <= now.checked_add(NEWEST)?;
            (is_recent && time.start <= time.end).then_some(time)
        });
        times.collect::<Option<Vec<_>>>().filter(|_| is_few)
    }
}

fn export(relay: &Relay, sending: &Sending, times: &[RelayedTime]) -> Result<(), InvalidId> {
    let (trace_id, root) = (&*sending.trace_id, &*sending.span_id);
    for (resend_count, (attempt, time)) in (0..).zip(sending.attempts.iter().zip(times)) {
        let place = RelayedPlace { trace_id, span_id: &attempt.span_id, parent_span_id: Some(root) };
        let error = attempt.error.map(|error| match error {
            AttemptError::Network => "network",
            AttemptError::Timeout => "timeout",
        });
        let request =
            RelayedRequest { method: "POST", template: "/v1/reports", status: attempt.status, error, resend_count };
        relay.request(place, *time, request)?;
    }
    let start = times.iter().map(|time| time.start).min();
    let end = times.iter().map(|time| time.end).max();
    let Some((start, end)) = start.zip(end) else { return Ok(()) };
    relay.work(
        RelayedPlace { trace_id, span_id: root, parent_span_id: None },
        RelayedTime { start, end },
        "send report",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sending(attempts: &[(i64, i64)], now: SystemTime) -> Sending {
        let now = i64::try_from(now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros()).unwrap();
        let at = |seconds: i64| u64::try_from(now + seconds * 1_000_000).unwrap();
        let attempt = |(start, end): &(i64, i64)| Attempt {
            span_id: "00f067aa0ba902b7".to_owned(),
            start: at(*start),
            end: at(*end),
            status: None,
            error: None,
        };
        Sending {
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
            span_id: "00f067aa0ba902b8".to_owned(),
            attempts: attempts.iter().map(attempt).collect(),
        }
    }

    #[test]
    fn times_that_can_have_been_are_taken() {
        let now = SystemTime::now();
        for attempts in [&[(-1, 0)][..], &[(-600, -590), (-2, -1)], &[(0, 0)], &[(5, 6)]] {
            assert_eq!(sending(attempts, now).times(now).map(|times| times.len()), Some(attempts.len()));
        }
    }

    #[test]
    fn times_that_cannot_have_been_are_refused() {
        let now = SystemTime::now();
        for attempts in [&[][..], &[(-1, -2)], &[(-1000, -1)], &[(0, 120)], &[(-1, 0); 9]] {
            assert!(sending(attempts, now).times(now).is_none(), "{attempts:?}");
        }
        let mut sending = sending(&[(-1, 0)], now);
        sending.attempts[0].end = u64::MAX;
        assert!(sending.times(now).is_none());
    }
}
