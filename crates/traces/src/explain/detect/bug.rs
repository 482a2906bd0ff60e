//! A defect in the program.

use crate::Kind;
use crate::conventions::Class;
use crate::explain::candidate::{Candidate, Cause, named};
use crate::explain::case::Case;
use crate::explain::focus::Focus;

pub(in crate::explain) fn defect(case: &Case<'_>, focus: &Focus) -> Vec<Candidate> {
    let source = focus.source();
    let facts = &case.facts[source];
    let is_own = !matches!(case.span(source).kind, Kind::Client | Kind::Producer) && !facts.is_database();
    let exception = facts.exception().filter(|(kind, _)| !kind.is_empty());
    let weight = match facts.class {
        Some(Class::Panic) if is_own => 0.95,
        Some(Class::Internal | Class::Unknown | Class::Statement) if is_own && exception.is_some() => 0.9,
        Some(Class::Internal) if is_own => 0.76,
        Some(Class::Unknown) if is_own => 0.7,
        _ => return Vec::new(),
    };
    let who = &case.span(source).service;
    let what = match exception {
        Some((kind, _)) => format!("an exception ({kind})"),
        None => format!("{}, and nobody below it failed", facts.ending()),
    };
    let sentence = format!("{who} has a defect: {what}");
    let mut candidate = Candidate::new(Cause::Bug, source, weight, sentence).because(format!(
        "{} ended as {}",
        named(case, source),
        facts.ending()
    ));
    if let Some((kind, _)) = exception {
        candidate = candidate.because(format!("an exception event: {kind}"));
    } else {
        candidate = candidate.but("no exception says what it was").by_absence();
    }
    let refused = case.waited(source).find(|child| case.class(*child) == Some(Class::Refused));
    if let Some(refused) = refused {
        candidate = candidate.because(format!("{} had refused what it asked", named(case, refused)));
    }
    vec![candidate]
}
