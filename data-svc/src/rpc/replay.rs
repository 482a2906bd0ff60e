//! Requests that are repeated with the same idempotency key.

use service_kit::database;
use service_kit::error::Reason;

use crate::error::DataError;
use crate::store::idempotency::Stored;

/// Why a key could not be claimed. A timeout means that another request with the key is running: a claim waits for
/// nothing else.
pub(super) fn claim_failed(error: sqlx::Error) -> DataError {
    if database::timed_out(&error) { DataError::Refused(Reason::IdempotencyKeyInProgress) } else { error.into() }
}

/// What the key has stored before, if it was for the same request: one of the fingerprints must match.
pub(super) fn same(stored: Option<Stored>, fingerprints: &[&[u8]]) -> Result<Stored, DataError> {
    match stored {
        Some(stored) if fingerprints.contains(&stored.fingerprint.as_slice()) => Ok(stored),
        Some(_) => Err(DataError::Refused(Reason::IdempotencyKeyReused)),
        // The other request, which held the key, has rolled back since.
        None => Err(DataError::Refused(Reason::IdempotencyKeyInProgress)),
    }
}
