use serde_json::json;

use super::*;
use crate::{Event, Kind, Status};

fn span(kind: Kind, error: Option<&str>, attributes: &Value) -> Span {
    let status = error.map_or(Status::Unset, |text| Status::Error(text.to_owned()));
    let attributes = attributes.as_object().unwrap().clone().into_iter().collect();
    Span { kind, status, attributes, ..Span::default() }
}

#[test]
fn both_generations_of_names_say_the_same() {
    for (kind, new, old, class) in [
        (
            Kind::Client,
            json!({"rpc.system.name": "grpc", "rpc.status_code": "DEADLINE_EXCEEDED"}),
            json!({"rpc.system": "grpc", "rpc.grpc.status_code": 4}),
            Some(Class::Deadline),
        ),
        (
            Kind::Server,
            json!({"rpc.response.status_code": "NOT_FOUND"}),
            json!({"rpc.grpc.status_code": "5"}),
            Some(Class::Refused),
        ),
        (
            Kind::Server,
            json!({"http.response.status_code": 503}),
            json!({"http.status_code": "503"}),
            Some(Class::Unavailable),
        ),
        (
            Kind::Client,
            json!({"db.system.name": "postgresql", "db.response.status_code": "55P03"}),
            json!({"db.system": "postgresql", "exception.message": "canceling statement (SQLSTATE 55P03)"}),
            Some(Class::Lock),
        ),
        (Kind::Server, json!({"rpc.status_code": "OK"}), json!({"rpc.grpc.status_code": 0}), None),
    ] {
        let error = class.is_some().then_some("");
        let (new, old) = (span(kind, error, &new), span(kind, error, &old));
        let (new, old) = (Facts::of(&new), Facts::of(&old));
        assert_eq!((new.class, old.class), (class, class), "{new:?} {old:?}");
        assert_eq!(new.role, old.role);
    }
}

#[test]
fn what_went_wrong_is_read_from_words_where_no_code_says_it() {
    for (text, class) in [
        ("dial tcp 10.0.0.1:5432: connect: connection refused", Class::Connect),
        ("read tcp: connection reset by peer", Class::Unavailable),
        ("context deadline exceeded", Class::Deadline),
        ("context canceled", Class::Cancelled),
        ("Error 1205 (HY000): Lock wait timeout exceeded; try restarting transaction", Class::Lock),
        ("HikariPool-1 - Connection is not available, request timed out after 30000ms", Class::Pool),
        ("pq: sorry, too many clients already", Class::Exhausted),
        ("runtime error: index out of range [3]", Class::Panic),
        ("something is odd", Class::Unknown),
    ] {
        assert_eq!(Facts::of(&span(Kind::Client, Some(text), &json!({}))).class, Some(class), "{text}");
    }
}

#[test]
fn an_exception_that_was_handled_is_no_failure() {
    let mut span = span(Kind::Internal, None, &json!({}));
    span.events.push(Event { name: "exception".to_owned(), ..Event::default() });
    assert_eq!(Facts::of(&span).class, None);
}

#[test]
fn waits_are_told_from_statements_and_own_work() {
    let named =
        |name: &str, attributes: Value| Span { name: name.to_owned(), ..span(Kind::Internal, None, &attributes) };
    for (name, attributes, role) in [
        ("acquire connection", json!({}), Role::Pool),
        ("x", json!({"db.client.connection.max": 20}), Role::Pool),
        ("HikariDataSource.getConnection", json!({}), Role::Pool),
        ("SELECT", json!({"db.system": "mysql"}), Role::Database),
        ("redis", json!({"redis.cmds": "get"}), Role::Database),
        ("wait for a permit", json!({}), Role::Queue),
        ("validate", json!({}), Role::Own),
    ] {
        assert_eq!(Facts::of(&named(name, attributes)).role, role, "{name}");
    }
}

#[test]
fn a_mails_refusal_is_not_an_answers_status() {
    let mail = |reply| span(Kind::Client, Some(""), &json!({"network.protocol.name": "smtp", "error.type": reply}));
    assert_eq!(Facts::of(&mail("550")).class, Some(Class::Refused));
    assert_eq!(Facts::of(&mail("421")).class, Some(Class::Unavailable));
    assert_eq!(Facts::of(&mail("connection")).class, Some(Class::Connect));
}
