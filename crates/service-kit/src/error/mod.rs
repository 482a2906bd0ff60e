//! Errors: a table of kinds, a table of reasons, and how errors are sent from a service to its caller.

mod kind;
mod reason;
mod wire;

use std::error::Error;

use tonic::{Response, Status};

pub use kind::ErrorKind;
pub use reason::Reason;
pub use wire::{CallError, DomainError, Violation, status};

/// A business function's result as a gRPC response. Errors of our own or of a peer are logged with their causes,
/// because the caller gets only the kind.
pub fn respond<T, E: DomainError>(result: Result<T, E>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|error| {
        match error.kind() {
            ErrorKind::Internal => telemetry::error!(error = chain(&error), "call failed"),
            ErrorKind::Unavailable | ErrorKind::Timeout => telemetry::warn!(error = chain(&error), "call failed"),
            _ => {}
        }
        status(&error)
    })
}

/// Records why background work has failed, in the log and on its span, because no caller gets the error.
pub fn note_failure<E: DomainError>(error: &E) {
    telemetry::warn!(error = chain(error), "background work failed");
    telemetry::fail_current(error.reason().as_str());
}

/// The text of an error and of all its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
