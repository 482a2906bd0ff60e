//! RPC SERVER and CLIENT spans for tonic.
//!
//! A span ends with the call's trailers, where gRPC says how the call went.

mod body;
mod call;
mod client;
mod server;

pub use body::TracedBody;
pub use client::{Calling, TracedChannel};
pub use server::{Answering, Server, ServerLayer};

pub use crate::grpc_status::code_name;

use http::HeaderMap;
use tonic::Code;

/// The value of `rpc.system.name`.
const GRPC: &str = "grpc";

/// The fully qualified method of a request's path, `shop.v1.CartService/AddItem`, if it looks like one: a caller may
/// send any path, of any length.
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
