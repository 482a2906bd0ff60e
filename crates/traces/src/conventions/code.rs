//! gRPC status codes.

use serde_json::Value;

use super::{first, whole};
use crate::Attributes;

/// The attributes with the code, newest first. The old ones hold a number, the new ones a name.
const KEYS: [&str; 6] = [
    "rpc.status_code",
    "rpc.response.status_code",
    "rpc.grpc.status_code",
    "rpc.connect_rpc.error_code",
    "grpc.status_code",
    "grpc.code",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Ok,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

/// Ordered by number.
const NAMES: [(Code, &str); 17] = [
    (Code::Ok, "OK"),
    (Code::Cancelled, "CANCELLED"),
    (Code::Unknown, "UNKNOWN"),
    (Code::InvalidArgument, "INVALID_ARGUMENT"),
    (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
    (Code::NotFound, "NOT_FOUND"),
    (Code::AlreadyExists, "ALREADY_EXISTS"),
    (Code::PermissionDenied, "PERMISSION_DENIED"),
    (Code::ResourceExhausted, "RESOURCE_EXHAUSTED"),
    (Code::FailedPrecondition, "FAILED_PRECONDITION"),
    (Code::Aborted, "ABORTED"),
    (Code::OutOfRange, "OUT_OF_RANGE"),
    (Code::Unimplemented, "UNIMPLEMENTED"),
    (Code::Internal, "INTERNAL"),
    (Code::Unavailable, "UNAVAILABLE"),
    (Code::DataLoss, "DATA_LOSS"),
    (Code::Unauthenticated, "UNAUTHENTICATED"),
];

impl Code {
    pub(super) fn of(attributes: &Attributes) -> Option<Self> {
        first(attributes, &KEYS).and_then(Self::read)
    }

    /// Reads a number, or a name in any spelling: `DeadlineExceeded`, `deadline_exceeded`, `CANCELED`.
    fn read(value: &Value) -> Option<Self> {
        if let Some(number) = whole(value) {
            return NAMES.get(usize::try_from(number).ok()?).map(|known| known.0);
        }
        let letters = |text: &str| text.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_uppercase();
        let name = letters(value.as_str()?).replace("CANCELED", "CANCELLED");
        NAMES.iter().find(|known| letters(known.1) == name).map(|known| known.0)
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|known| known.0 == self).map_or("UNKNOWN", |known| known.1)
    }
}
