use chrono::{DateTime, SecondsFormat};
use proto::{Captured, domain};

use crate::problem::Problem;

/// A point in time as RFC 3339 in UTC with microseconds, the precision of the database. If a service leaves out a time
/// that its contract promises, that is an internal error.
pub(crate) fn rfc3339(time: Option<prost_types::Timestamp>) -> Result<String, Problem> {
    time.and_then(|time| DateTime::from_timestamp(time.seconds, time.nanos.try_into().ok()?))
        .map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, true))
        .ok_or(Problem::INTERNAL)
}

/// A time of capture. If it cannot be read, that is an internal error, too.
pub(crate) fn captured(captured: Option<domain::Captured>) -> Result<Captured, Problem> {
    captured.and_then(|captured| captured.try_into().ok()).ok_or(Problem::INTERNAL)
}
