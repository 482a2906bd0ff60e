//! What went wrong: reasons and their kinds, one table each, and how they travel from a service to its caller's answer.

mod kind;
mod reason;
mod wire;

use std::error::Error;

use tonic::{Response, Status};

pub use kind::ErrorKind;
pub use reason::Reason;
pub use wire::{CallError, DomainError, Violation, status};

/// A business function's result as a gRPC answer. What is our fault, or a peer's, is logged with its
/// causes: the caller gets no more than its kind.
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

/// Notes why background work has failed, which nobody waits for: in the log and on its span.
pub fn note_failure<E: DomainError>(error: &E) {
    telemetry::warn!(error = chain(error), "background work failed");
    telemetry::fail_current(error.reason().as_str());
}

/// What an error says, and what its causes say.
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
