//! RPC SERVER and CLIENT spans for tonic.
//!
//! A span ends with the call's trailers, where gRPC says how the call went.

mod body;
mod client;
mod server;

pub use body::TracedBody;
pub use client::Channel;
pub use server::{Server, ServerLayer};

use http::HeaderMap;
use tonic::Code;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::span::fail;

/// The fully qualified method of a request's path, `epro.user.v1.UserService/Authenticate`.
fn method(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// Records how a call went.
///
/// The same codes are failures on both sides of a call. A refusal (not found, invalid, unauthenticated
/// and the like) is an answer to a caller's mistake: it must not turn a trace into an error.
fn record_code(span: &Span, code: Code) {
    let name = code_name(code);
    span.set_attribute("rpc.response.status_code", name);
    if is_failure(code) {
        fail(span, name);
    }
}

fn is_failure(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
            | Code::Cancelled
    )
}

fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
