//! Causes in the database of a service.

use serde_json::json;

use super::by_hand::{GRPC, assert_told, span, told};
use crate::Kind;
use crate::explain::Cause;

#[test]
fn a_pool_that_fails_while_it_opens_a_connection_could_not_connect_whatever_the_error_is_called() {
    let rpc = || json!({"rpc.system.name": "grpc", "rpc.method": GRPC, "rpc.status_code": "UNAVAILABLE"});
    for error in ["io", "client"] {
        let pool = json!({"db.client.connection.count": 0, "db.client.connection.max": 20, "error.type": error});
        let told = told(vec![
            span(0, "shop", Kind::Server, "POST /orders", (0, 20), json!({"http.response.status_code": 503}))
                .failed(""),
            span(1, "shop", Kind::Client, GRPC, (5, 15), rpc()).failed(""),
            span(2, "users", Kind::Server, GRPC, (7, 12), rpc()).failed(""),
            span(3, "users", Kind::Internal, "acquire connection", (8, 10), pool)
                .failed("")
                .with_event("opening a connection", &[]),
        ]);
        assert_told(&told, Cause::ConnectFailed, "users");
        assert_eq!(told.guilty.as_ref().map(|guilty| &*guilty.name), Some("acquire connection"));
    }
}
