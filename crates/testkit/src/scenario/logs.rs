//! Log lines of all services.

use serde_json::Value;

use crate::stack::Service;

/// What user-svc is asked for each request.
const AUTHENTICATE: &str = "epro.user.v1.UserService/Authenticate";

/// Those of a trace among log lines, oldest first.
pub(super) fn of_trace(mut lines: Vec<Value>, trace_id: &str) -> Vec<Value> {
    lines.retain(|line| line["trace_id"] == trace_id);
    in_order(lines)
}

/// Oldest first.
pub(super) fn in_order(mut lines: Vec<Value>) -> Vec<Value> {
    lines.sort_by(|one, other| one["timestamp"].as_str().cmp(&other["timestamp"].as_str()));
    lines
}

/// How many requests user-svc has said of who they come from.
pub(super) fn known(lines: &[Value]) -> usize {
    let is_one = |line: &&Value| line["rpc.method"] == AUTHENTICATE && line["rpc.status_code"] == "OK";
    lines.iter().filter(is_one).filter(|line| line["service"] == Service::UserSvc.name()).count()
}
