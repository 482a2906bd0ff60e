//! One trace for each cause, as real systems write them.

use serde_json::{Value, json};

use crate::explain::{Cause, Confidence, Dependency, Explanation, Spent, explain};
use crate::{Event, Kind, Span, Status, Trace};

/// A span with a start and an end in milliseconds. Its id is its position, counted from 1.
pub(super) fn span(parent: usize, service: &str, kind: Kind, name: &str, times: (u64, u64), attributes: Value) -> Span {
    let Value::Object(attributes) = attributes else { unreachable!("attributes are an object") };
    let nanos = |ms: u64| 1_700_000_000_000_000_000 + ms * 1_000_000;
    Span {
        trace_id: "5b8efff798038103d269b633813fc60c".to_owned(),
        parent_span_id: (parent > 0).then(|| parent.to_string()),
        service: service.to_owned(),
        name: name.to_owned(),
        kind,
        start: nanos(times.0),
        end: nanos(times.1),
        attributes: attributes.into_iter().collect(),
        ..Span::default()
    }
}

impl Span {
    pub(super) fn failed(self, description: &str) -> Self {
        Self { status: Status::Error(description.to_owned()), ..self }
    }

    pub(super) fn with_event(mut self, name: &str, attributes: &[(&str, &str)]) -> Self {
        let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        self.events.push(Event { name: name.to_owned(), time: self.start, attributes });
        self
    }
}

pub(super) fn trace(spans: Vec<Span>) -> Trace {
    let number = |(at, span): (usize, Span)| Span { span_id: (at + 1).to_string(), ..span };
    Trace::new(spans.into_iter().enumerate().map(number).collect())
}

pub(super) fn told(spans: Vec<Span>) -> Explanation {
    explain(&trace(spans))
}

pub(super) fn assert_told(told: &Explanation, cause: Cause, blamed: &str) {
    let guilty = told.guilty.as_ref().map(|guilty| &*guilty.blamed);
    assert_eq!((told.cause, guilty), (cause, Some(blamed)), "{told}");
}

pub(super) const GRPC: &str = "users.v1.Users/Check";

/// A login check that waits for a pool's connection.
fn full_pool() -> Vec<Span> {
    let rpc = |code: &str| json!({"rpc.system.name": "grpc", "rpc.method": GRPC, "rpc.status_code": code, "error.type": code});
    let pool = json!({"db.client.connection.count": 20, "db.client.connection.max": 20,
                      "db.client.connection.pending_requests": 7, "error.type": "pool_timed_out"});
    vec![
        span(
            0,
            "shop",
            Kind::Server,
            "POST /orders",
            (0, 5_020),
            json!({"http.response.status_code": 503, "error.type": "503"}),
        )
        .failed(""),
        span(1, "shop", Kind::Client, GRPC, (5, 5_015), rpc("UNAVAILABLE")).failed(""),
        span(2, "users", Kind::Server, GRPC, (7, 5_012), rpc("UNAVAILABLE")).failed(""),
        span(3, "users", Kind::Internal, "acquire connection", (8, 5_010), pool)
            .failed("")
            .with_event("waiting for a connection in use", &[]),
    ]
}

#[test]
fn a_full_pool_is_told_in_a_sentence() {
    let told = told(full_pool());
    assert_told(&told, Cause::PoolFull, "users");
    assert_eq!(told.confidence, Confidence::Certain);
    assert_eq!(
        told.verdict,
        "users waited 5.0 s for a database connection: all 20 were in use; it may be tried again."
    );
    assert_eq!(told.guilty.as_ref().map(|guilty| &*guilty.name), Some("acquire connection"));
    assert_eq!(told.spent(Spent::Waiting).as_millis(), 5_002);
    assert_eq!(told.spent(Spent::Own).as_millis(), 13);
    assert_eq!(told.spent(Spent::Network).as_millis(), 5);
}

#[test]
fn a_full_pool_is_told_in_the_names_of_before_as_well() {
    let words = "HikariPool-1 - Connection is not available, request timed out after 5000ms.";
    let exception = [("exception.type", "java.sql.SQLTransientConnectionException"), ("exception.message", words)];
    let old = vec![
        span(0, "shop", Kind::Server, "/orders", (0, 5_020), json!({"http.status_code": 500})).failed(""),
        span(1, "shop", Kind::Client, GRPC, (5, 5_015), json!({"rpc.system": "grpc", "rpc.grpc.status_code": 2}))
            .failed(words),
        span(2, "users", Kind::Server, GRPC, (7, 5_012), json!({"rpc.system": "grpc", "rpc.grpc.status_code": 2}))
            .failed(words)
            .with_event("exception", &exception),
        span(3, "users", Kind::Internal, "HikariDataSource.getConnection", (8, 5_010), json!({}))
            .failed(words)
            .with_event("exception", &exception),
    ];
    assert_told(&told(old), Cause::PoolFull, "users");
}

/// A slow check that exceeds its deadline, with the attributes of some system.
fn slow_check(root: Value, call: Value, answer: Value, statement: Value) -> Vec<Span> {
    vec![
        span(0, "shop", Kind::Server, "POST /orders", (0, 2_010), root).failed(""),
        span(1, "shop", Kind::Client, GRPC, (5, 2_005), call).failed("context deadline exceeded"),
        span(2, "users", Kind::Server, GRPC, (7, 2_000), answer).failed("context deadline exceeded"),
        span(3, "users", Kind::Client, "SELECT person", (20, 1_999), statement).failed("context deadline exceeded"),
    ]
}

#[test]
fn a_slow_statement_is_told_by_todays_names_and_by_those_of_go_zero() {
    let today = slow_check(
        json!({"http.response.status_code": 504}),
        json!({"rpc.system.name": "grpc", "rpc.response.status_code": "DEADLINE_EXCEEDED"}),
        json!({"rpc.system.name": "grpc", "rpc.response.status_code": "DEADLINE_EXCEEDED"}),
        json!({"db.system.name": "postgresql", "db.query.text": "SELECT person", "error.type": "cancelled"}),
    );
    let before = slow_check(
        json!({"http.status_code": 503, "http.method": "POST"}),
        json!({"rpc.system": "grpc", "rpc.grpc.status_code": 4, "net.peer.ip": "10.0.0.3"}),
        json!({"rpc.system": "grpc", "rpc.grpc.status_code": 4}),
        json!({"sql.method": "QueryRow"}),
    );
    for spans in [today, before] {
        let told = told(spans);
        assert_told(&told, Cause::Slow(Dependency::Database), "users");
        assert!(
            told.verdict.contains("the database of users took 2.0 s for SELECT person")
                || told.verdict.starts_with("The database of users took 2.0 s"),
            "{told}"
        );
        assert!(told.verdict.contains("nothing was stored"), "{told}");
    }
}

#[test]
fn a_service_that_passes_a_failure_on_is_not_blamed() {
    // The checkout of the OpenTelemetry demo, when its payment service throws.
    let exception = [("exception.type", "Error"), ("exception.message", "Invalid token")];
    let rpc = |code: i64| json!({"rpc.system": "grpc", "rpc.service": "oteldemo", "rpc.grpc.status_code": code});
    let words = "could not charge the card: rpc error: code = Unknown desc = Invalid token";
    let told = told(vec![
        span(0, "frontend-proxy", Kind::Server, "ingress", (0, 200), json!({"http.status_code": "500"})).failed(""),
        span(1, "frontend", Kind::Server, "POST /api/checkout", (2, 198), json!({"http.status_code": 500})).failed(""),
        span(2, "frontend", Kind::Client, "grpc.oteldemo.CheckoutService/PlaceOrder", (5, 190), rpc(13)).failed(words),
        span(3, "checkout", Kind::Server, "oteldemo.CheckoutService/PlaceOrder", (7, 188), rpc(13)).failed(words),
        span(4, "checkout", Kind::Client, "oteldemo.CartService/GetCart", (10, 20), rpc(0)),
        span(4, "checkout", Kind::Client, "oteldemo.PaymentService/Charge", (30, 180), rpc(2)).failed("Invalid token"),
        span(6, "payment", Kind::Server, "grpc.oteldemo.PaymentService/Charge", (33, 178), rpc(2))
            .failed("Invalid token")
            .with_event("exception", &exception),
    ]);
    assert_told(&told, Cause::Bug, "payment");
}

#[test]
fn a_panic_is_a_defect_of_where_it_happened() {
    let told = told(vec![
        span(0, "shop", Kind::Server, "POST /orders", (0, 30), json!({"http.response.status_code": 500})).failed(""),
        span(1, "shop", Kind::Client, GRPC, (5, 25), json!({"rpc.status_code": "INTERNAL"})).failed(""),
        span(2, "users", Kind::Server, GRPC, (7, 22), json!({"rpc.status_code": "INTERNAL", "error.type": "panic"}))
            .failed("")
            .with_event("exception", &[("exception.type", "panic")]),
    ]);
    assert_told(&told, Cause::Bug, "users");
    assert_eq!(told.confidence, Confidence::Certain);
}

#[test]
fn a_caller_who_left_is_no_failure_of_what_was_under_way() {
    let told = told(vec![
        span(0, "shop", Kind::Server, "POST /orders", (0, 800), json!({"error.type": "cancelled"})).failed(""),
        span(1, "shop", Kind::Client, GRPC, (5, 800), json!({"rpc.status_code": "CANCELLED"})).failed(""),
        span(2, "users", Kind::Server, GRPC, (7, 801), json!({"rpc.status_code": "CANCELLED"})),
    ]);
    assert_told(&told, Cause::ClientLeft, "shop");
}

#[test]
fn a_body_that_does_not_arrive_is_the_network_in_front() {
    let told = told(vec![span(
        0,
        "shop",
        Kind::Server,
        "POST /orders",
        (0, 10_000),
        json!({"http.response.status_code": 408}),
    )]);
    assert_told(&told, Cause::EdgeNetwork, "shop");
}

#[test]
fn a_request_turned_away_at_the_edge_was_limited() {
    let attributes = json!({"http.response.status_code": 429, "http.response.header.retry-after": ["3"]});
    let told = told(vec![span(0, "shop", Kind::Server, "POST /orders", (0, 1), attributes)]);
    assert_told(&told, Cause::EdgeLimit, "shop");
    assert!(told.verdict.contains("asks to come again after 3 s"), "{told}");
}

#[test]
fn a_mistake_of_the_caller_is_told_from_a_failure() {
    let told = told(vec![
        span(0, "shop", Kind::Server, "GET /orders/{id}", (0, 30), json!({"http.status_code": 404})),
        span(1, "shop", Kind::Client, GRPC, (5, 25), json!({"rpc.grpc.status_code": 5})).failed("no such person"),
        span(2, "users", Kind::Server, GRPC, (7, 22), json!({"rpc.grpc.status_code": 5})),
    ]);
    assert_told(&told, Cause::Refused, "users");
    assert!(!told.cause.is_failure());
}

#[test]
fn a_process_that_was_killed_leaves_calls_without_their_answer() {
    let call = |parent, times, code: &str| {
        let attributes = json!({"rpc.system.name": "grpc", "service.peer.name": "users", "rpc.status_code": code});
        span(parent, "shop", Kind::Client, GRPC, times, attributes)
    };
    let told = told(vec![
        span(0, "shop", Kind::Server, "POST /orders", (0, 900), json!({"http.response.status_code": 503})).failed(""),
        call(1, (5, 20), "OK"),
        span(2, "users", Kind::Server, GRPC, (7, 18), json!({"rpc.status_code": "OK"})),
        call(1, (30, 880), "UNAVAILABLE").failed(""),
        span(99, "ledger", Kind::Server, "ledger.v1.Ledger/Book", (60, 70), json!({"rpc.status_code": "OK"})),
    ]);
    assert_told(&told, Cause::ProcessGone, "users");
    assert_eq!(told.missing, ["1 spans whose parent is missing"]);
}

#[test]
fn time_used_up_by_others_is_not_the_fault_of_who_was_cut_off() {
    let call = |service: &str, times, code: &str| {
        let attributes = json!({"rpc.system.name": "grpc", "service.peer.name": service, "rpc.status_code": code});
        span(1, "shop", Kind::Client, "x.v1.X/Do", times, attributes)
    };
    let told = told(vec![
        span(0, "shop", Kind::Server, "POST /orders", (0, 5_000), json!({"http.response.status_code": 504})).failed(""),
        call("users", (5, 4_800), "OK"),
        span(2, "users", Kind::Server, "x.v1.X/Do", (7, 4_798), json!({"rpc.status_code": "OK"})),
        call("stock", (4_810, 4_999), "DEADLINE_EXCEEDED").failed(""),
        span(4, "stock", Kind::Server, "x.v1.X/Do", (4_812, 4_990), json!({"rpc.status_code": "DEADLINE_EXCEEDED"}))
            .failed(""),
    ]);
    assert_told(&told, Cause::DeadlineUsedUpstream, "users");
}

#[test]
fn a_transaction_that_was_undone_is_not_why_it_failed() {
    let statement = |name: &str, times, state: Option<&str>| {
        let attributes = json!({"db.system.name": "postgresql", "db.response.status_code": state, "error.type": state});
        span(1, "shop", Kind::Client, name, times, attributes)
    };
    let told = told(vec![
        span(0, "shop", Kind::Server, "POST /orders", (0, 60), json!({"http.response.status_code": 500})).failed(""),
        statement("BEGIN", (5, 6), None),
        statement("INSERT orders", (10, 40), Some("40P01")).failed(""),
        statement("ROLLBACK", (45, 50), None),
    ]);
    assert_told(&told, Cause::LockWait, "shop");
    assert!(told.verdict.contains("in a deadlock") && told.verdict.contains("nothing was stored"), "{told}");
}

#[test]
fn a_lock_is_told_by_its_sqlstate_and_by_an_event() {
    let failed = |statement: Span| {
        vec![
            span(0, "shop", Kind::Server, "POST /orders", (0, 3_010), json!({"http.response.status_code": 500}))
                .failed(""),
            statement,
        ]
    };
    let attributes = json!({"db.system.name": "postgresql", "db.response.status_code": "55P03", "error.type": "55P03"});
    let state = span(1, "shop", Kind::Client, "UPDATE stock", (5, 3_005), attributes).failed("");
    assert_told(&told(failed(state)), Cause::LockWait, "shop");
    // The database of HotROD, when it was too slow.
    let hotrod =
        span(1, "shop", Kind::Client, "SQL SELECT", (5, 3_005), json!({"sql.query": "SELECT * FROM customer"}))
            .failed("context deadline exceeded")
            .with_event("Waiting for lock behind 4 transactions", &[]);
    assert_told(&told(failed(hotrod)), Cause::LockWait, "shop");
}

#[test]
fn an_explanation_as_json_has_what_people_are_shown() {
    let json = told(full_pool()).to_json();
    assert_eq!((&json["cause"], &json["confidence"]), (&json!("pool_full"), &json!("certain")));
    assert_eq!((&json["guilty"]["service"], &json["guilty"]["span_id"]), (&json!("users"), &json!("4")));
    assert_eq!(json["spent_ms"]["waiting"], json!(5_002.0));
    assert!(json["path"].as_array().is_some_and(|path| path.len() == 4) && json["complete"] == true);
}
