//! RPC SERVER and CLIENT spans for tonic.
//!
//! A span ends with the call's trailers, where gRPC says how the call went.

mod body;
mod call;
mod client;
mod server;

pub use body::TracedBody;
pub use client::{Calling, Channel};
pub use server::{Answering, Server, ServerLayer};

use http::HeaderMap;
use tonic::Code;

/// The value of `rpc.system.name`.
const GRPC: &str = "grpc";

/// The fully qualified method of a request's path, `shop.v1.CartService/AddItem`, if it looks like one: a caller may
/// send any path, and as long a one as it likes.
fn method(path: &str) -> Option<&str> {
    const LONGEST: usize = 128;
    let method = path.strip_prefix('/')?;
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._".contains(&c));
    let (service, name) = method.split_once('/')?;
    (method.len() <= LONGEST && is_name(service) && is_name(name)).then_some(method)
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
