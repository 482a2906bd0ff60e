//! Requests that are sent again under the same key.

use service_kit::database;
use service_kit::error::Reason;

use crate::error::DataError;
use crate::store::idempotency::Stored;

/// Why a key could not be taken: it has waited for nothing but another request with the key.
pub(super) fn claim_failed(error: sqlx::Error) -> DataError {
    if database::timed_out(&error) { DataError::Refused(Reason::IdempotencyKeyInProgress) } else { error.into() }
}

/// What the key stored before, if it was for the same: it was stored with one of the fingerprints.
pub(super) fn same(stored: Option<Stored>, fingerprints: &[&[u8]]) -> Result<Stored, DataError> {
    match stored {
        Some(stored) if fingerprints.contains(&stored.fingerprint.as_slice()) => Ok(stored),
        Some(_) => Err(DataError::Refused(Reason::IdempotencyKeyReused)),
        // What stood in the way is gone.
        None => Err(DataError::Refused(Reason::IdempotencyKeyInProgress)),
    }
}
