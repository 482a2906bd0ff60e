//! Classifies how a span failed, independently of the protocol that reported it.

use super::{Code, Facts, Role, words};
use crate::Kind;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// The request is not allowed, not found or malformed. This is an answer, not a fault of the callee.
    Refused,
    /// The caller cancelled the call.
    Cancelled,
    /// The deadline was exceeded.
    Deadline,
    /// No connection could be opened.
    Connect,
    /// A connection was lost, or the other side reports that it cannot serve.
    Unavailable,
    /// Rejected because of overload or a limit.
    Exhausted,
    /// No connection of a pool became free.
    Pool,
    /// A lock could not be acquired, or was lost.
    Lock,
    /// The database rejected a statement for another reason.
    Statement,
    /// A panic or an unhandled exception.
    Panic,
    /// A code that means a defect, without a further explanation.
    Internal,
    /// An error without any information.
    Unknown,
}

/// Exact information takes precedence over texts, and a cause over its consequence.
pub(super) fn classify(facts: &Facts<'_>) -> Option<Class> {
    if !facts.is_error {
        return answer(facts);
    }
    if let Some(class) = facts.sqlstate.as_deref().map(of_sqlstate) {
        return Some(class);
    }
    let (told, coded) = (in_words(facts), coded(facts));
    // Usually a code is more reliable than a text, which may quote anything. But a text can say why something is
    // unavailable, or what the internal error was.
    let is_exact = match told {
        Some(Class::Panic | Class::Pool | Class::Lock) => true,
        Some(Class::Connect | Class::Deadline) => matches!(coded, Some(Class::Unavailable | Class::Internal)),
        _ => false,
    };
    let has_exception = facts.exception().is_some_and(|(kind, _)| !kind.is_empty());
    let unexplained = if has_exception { Class::Panic } else { Class::Unknown };
    let (first, second) = if is_exact { (told, coded) } else { (coded, told) };
    first.or(second).or(Some(unexplained))
}

/// A span with a good status may still carry an error code.
fn answer(facts: &Facts<'_>) -> Option<Class> {
    let is_called = matches!(facts.span.kind, Kind::Server | Kind::Client | Kind::Consumer);
    if is_called { coded(facts) } else { None }
}

fn coded(facts: &Facts<'_>) -> Option<Class> {
    match (facts.code, facts.http) {
        (Some(code), _) => of_code(code),
        (None, Some(status)) => of_http(status),
        // Here `error.type` holds the HTTP status or the SMTP reply.
        (None, None) => facts.error_type()?.parse().ok().and_then(|status| match facts.role {
            Role::Smtp => of_smtp(status),
            _ => of_http(status),
        }),
    }
}

fn of_code(code: Code) -> Option<Class> {
    Some(match code {
        Code::Ok => return None,
        Code::Cancelled => Class::Cancelled,
        Code::DeadlineExceeded => Class::Deadline,
        Code::Unavailable => Class::Unavailable,
        Code::ResourceExhausted => Class::Exhausted,
        Code::Unknown | Code::Internal | Code::DataLoss | Code::Unimplemented => Class::Internal,
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unauthenticated => Class::Refused,
    })
}

fn of_http(status: u16) -> Option<Class> {
    Some(match status {
        408 | 504 => Class::Deadline,
        429 => Class::Exhausted,
        499 => Class::Cancelled,
        400..=498 => Class::Refused,
        502 | 503 => Class::Unavailable,
        500..=599 => Class::Internal,
        _ => return None,
    })
}

/// RFC 5321, section 4.2.1: 4xx is temporary, 5xx is permanent.
fn of_smtp(reply: u16) -> Option<Class> {
    match reply {
        400..=499 => Some(Class::Unavailable),
        500..=599 => Some(Class::Refused),
        _ => None,
    }
}

/// Error classes of PostgreSQL, from appendix A of its manual; most are from the SQL standard.
fn of_sqlstate(state: &str) -> Class {
    match state {
        "55P03" | "40P01" | "40001" => Class::Lock,
        "57014" | "25P03" => Class::Deadline,
        "53300" => Class::Exhausted,
        "57P01" | "57P02" | "57P03" => Class::Unavailable,
        _ if state.starts_with("08") => Class::Connect,
        _ if state.starts_with("53") => Class::Exhausted,
        _ => Class::Statement,
    }
}

fn in_words(facts: &Facts<'_>) -> Option<Class> {
    let lists: [(Class, &[&str]); 9] = [
        (Class::Panic, &words::PANIC),
        (Class::Pool, &words::POOL),
        (Class::Exhausted, &words::TOO_MANY_CONNECTIONS),
        (Class::Lock, &words::LOCK),
        (Class::Connect, &words::CONNECT),
        (Class::Unavailable, &words::LOST),
        (Class::Exhausted, &words::EXHAUSTED),
        (Class::Deadline, &words::TIMEOUT),
        (Class::Cancelled, &words::CANCELLED),
    ];
    let is_type = |types: &[&str]| facts.error_type().is_some_and(|kind| types.contains(&kind));
    if is_type(&words::CONNECT_TYPES) {
        return Some(Class::Connect);
    }
    if is_type(&words::LOST_TYPES) {
        return Some(Class::Unavailable);
    }
    let found = |list: &[&str]| words::of(facts.span).any(|text| words::contains(text, list));
    lists.into_iter().find(|(_, list)| found(list)).map(|(class, _)| class)
}
