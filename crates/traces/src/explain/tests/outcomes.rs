//! Failures that were handled, that came later, or that the trace does not show.

use serde_json::json;

use super::by_hand::{GRPC, assert_told, span, told};
use crate::explain::{Cause, Confidence, Spent};
use crate::{Kind, Span};

#[test]
fn what_fails_after_the_answer_is_told_as_that() {
    let told = told(vec![
        span(0, "shop", Kind::Server, "POST /orders", (0, 40), json!({"http.response.status_code": 201})),
        span(1, "shop", Kind::Producer, "orders publish", (30, 32), json!({"messaging.system": "kafka"})),
        span(2, "mailer", Kind::Consumer, "orders process", (50, 900), json!({"messaging.system": "kafka"})),
        span(3, "mailer", Kind::Internal, "send", (60, 890), json!({})),
        span(
            4,
            "mailer",
            Kind::Client,
            "SMTP submit",
            (61, 880),
            json!({"network.protocol.name": "smtp", "server.address": "mail.example", "error.type": "550"}),
        )
        .failed(""),
    ]);
    assert_told(&told, Cause::AsyncFailure, "mail.example");
    assert!(told.verdict.starts_with("The answer was fine, and what went on after it failed"), "{told}");
    assert!(told.spent(Spent::Asynchronous).as_millis() > 800);
}

#[test]
fn a_message_that_a_later_try_has_delivered_is_no_failure() {
    let process = |parent, times| {
        span(parent, "mailer", Kind::Consumer, "orders process", times, json!({"messaging.message.id": "7"}))
    };
    let mail = |parent, times, error: Option<&str>| {
        let attributes =
            json!({"network.protocol.name": "smtp", "server.address": "mail.example", "error.type": error});
        span(parent, "mailer", Kind::Client, "SMTP submit", times, attributes)
    };
    let told = told(vec![
        span(0, "shop", Kind::Server, "POST /orders", (0, 40), json!({"http.response.status_code": 201})),
        span(1, "shop", Kind::Producer, "orders publish", (30, 32), json!({"messaging.system": "kafka"})),
        process(2, (50, 900)).failed(""),
        mail(3, (60, 880), Some("421")).failed(""),
        process(1, (5_000, 5_100)),
        mail(5, (5_010, 5_090), None),
    ]);
    assert_eq!(told.cause, Cause::Healthy, "{told}");
}

#[test]
fn a_slow_answer_that_went_well_is_healthy_and_says_who_took_long() {
    let told = told(vec![
        span(0, "frontend", Kind::Server, "HTTP GET /dispatch", (0, 1_900), json!({"http.status_code": 200})),
        span(1, "frontend", Kind::Client, "HTTP GET: /customer", (5, 1_600), json!({"http.status_code": 200})),
        span(2, "customer", Kind::Server, "HTTP GET /customer", (7, 1_590), json!({"http.status_code": 200})),
        span(
            3,
            "mysql",
            Kind::Client,
            "SQL SELECT",
            (10, 1_580),
            json!({"sql.query": "SELECT", "peer.service": "mysql"}),
        ),
    ]);
    assert_told(&told, Cause::SlowButHealthy, "mysql");
}

#[test]
fn what_does_not_hang_together_is_a_broken_chain() {
    let server = |parent| span(parent, "users", Kind::Server, GRPC, (10, 20), json!({"rpc.status_code": "OK"}));
    let root = || span(0, "shop", Kind::Server, "POST /orders", (0, 40), json!({"http.response.status_code": 200}));
    for (spans, missing) in [
        (vec![root(), server(0)], "1 more roots than one"),
        (vec![root(), server(77)], "1 spans whose parent is missing"),
        (vec![server(77)], "there is no root"),
    ] {
        let told = told(spans);
        assert_eq!(told.cause, Cause::BrokenChain, "{told}");
        assert_eq!(told.missing[0], missing);
    }
}

#[test]
fn a_trace_without_spans_cannot_tell_and_says_where_to_look() {
    let told = told(Vec::new());
    assert_eq!((told.cause, told.confidence), (Cause::CannotTell, Confidence::CannotTell));
    assert!(told.verdict.contains("log lines"), "{told}");
}

#[test]
fn a_piece_of_a_trace_that_was_not_sampled_says_so() {
    let piece =
        Span { sampled: Some(false), ..span(9, "users", Kind::Server, GRPC, (0, 9), json!({"rpc.status_code": "OK"})) };
    assert_eq!(told(vec![piece]).cause, Cause::SampledOut);
}

#[test]
fn many_tries_are_a_storm_and_one_that_helped_is_none() {
    let call = |from: u64, code: &str| {
        let attributes = json!({"rpc.system.name": "grpc", "service.peer.name": "users", "rpc.status_code": code});
        let call = span(1, "shop", Kind::Client, GRPC, (from, from + 50), attributes);
        if code == "OK" { call } else { call.failed("") }
    };
    let root = |status: u16| {
        span(0, "shop", Kind::Server, "POST /orders", (0, 900), json!({"http.response.status_code": status}))
    };
    let mut storm = vec![root(503).failed("")];
    storm.extend((0..6).map(|at| call(10 + at * 100, "UNAVAILABLE")));
    assert_told(&told(storm), Cause::RetryStorm, "users");
    let healthy = told(vec![root(200), call(10, "UNAVAILABLE"), call(100, "OK")]);
    assert_eq!(healthy.cause, Cause::Healthy, "{healthy}");
}
