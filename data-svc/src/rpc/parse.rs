//! Parses fields of requests into types that cannot hold an invalid value.

use std::time::Duration;

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use proto::Captured;
use proto::domain::{self, Cursor};
use uuid::Uuid;

use crate::error::DataError;

pub(super) fn id(field: &'static str, text: &str) -> Result<Uuid, DataError> {
    text.parse().map_err(|_| DataError::Malformed(field))
}

pub(super) fn optional_id(field: &'static str, text: Option<&str>) -> Result<Option<Uuid>, DataError> {
    text.map(|text| id(field, text)).transpose()
}

pub(super) fn ids(field: &'static str, texts: &[String]) -> Result<Vec<Uuid>, DataError> {
    texts.iter().map(|text| id(field, text)).collect()
}

pub(super) fn duration(field: &'static str, value: Option<prost_types::Duration>) -> Result<Duration, DataError> {
    value.and_then(|value| value.try_into().ok()).ok_or(DataError::Malformed(field))
}

pub(super) fn timestamp(time: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos().cast_signed() }
}

pub(super) fn time(field: &'static str, time: Timestamp) -> Result<DateTime<Utc>, DataError> {
    let nanos = time.nanos.try_into().map_err(|_| DataError::Malformed(field))?;
    DateTime::from_timestamp(time.seconds, nanos).ok_or(DataError::Malformed(field))
}

pub(super) fn captured(field: &'static str, captured: domain::Captured) -> Result<Captured, DataError> {
    captured.try_into().map_err(|_| DataError::Malformed(field))
}

/// The position after which a list continues: a time and an id.
pub(super) fn cursor(cursor: Option<&Cursor>) -> Result<Option<(DateTime<Utc>, Uuid)>, DataError> {
    let Some(cursor) = cursor else { return Ok(None) };
    let since = cursor.time.ok_or(DataError::Malformed("after.time"))?;
    Ok(Some((time("after.time", since)?, id("after.id", &cursor.id)?)))
}

/// The page size: 1 to 100.
pub(super) fn limit(limit: u32) -> Result<i64, DataError> {
    if (1..=100).contains(&limit) { Ok(limit.into()) } else { Err(DataError::Malformed("limit")) }
}

/// Microseconds as a protobuf duration.
pub(super) fn micros(micros: i64) -> prost_types::Duration {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
    prost_types::Duration { seconds: micros.div_euclid(1_000_000), nanos }
}
