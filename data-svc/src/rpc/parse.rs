//! Fields of requests as types that cannot hold a bad value.

use std::time::Duration;

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use uuid::Uuid;

use crate::error::DataError;

pub(super) fn id(field: &'static str, text: &str) -> Result<Uuid, DataError> {
    text.parse().map_err(|_| DataError::Malformed(field))
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
