//! Work after the answer.

use serde_json::json;

use super::by_hand::{GRPC, span, told};
use crate::Kind;
use crate::explain::Cause;

#[test]
fn what_works_on_a_message_is_told_of_although_whoever_handed_it_over_went_well() {
    let rpc = || json!({"rpc.system.name": "grpc", "rpc.method": GRPC, "rpc.status_code": "OK"});
    let told = told(vec![
        span(0, "shop", Kind::Server, "POST /orders", (0, 50), json!({"http.response.status_code": 201})),
        span(1, "shop", Kind::Producer, "hint", (40, 48), json!({})),
        span(2, "shop", Kind::Client, GRPC, (41, 47), rpc()),
        span(3, "mailer", Kind::Server, GRPC, (42, 46), rpc()),
        span(4, "mailer", Kind::Consumer, "deliver", (45, 90), json!({})),
        span(5, "mailer", Kind::Internal, "send email", (50, 80), json!({})),
        span(6, "mailer", Kind::Client, "SMTP submit", (51, 79), json!({"error.type": "connect"})).failed(""),
    ]);
    assert_eq!(told.cause, Cause::AsyncFailure, "{told}");
    assert_eq!(told.guilty.as_ref().map(|guilty| &*guilty.name), Some("SMTP submit"));
}
