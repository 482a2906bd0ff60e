//! Explains what went wrong in a trace, using only the trace.
//!
//! The rules use OpenTelemetry's conventions, the current and the previous ones, and not the span names of any system.
//! `case` computes the facts of a trace once. `focus` follows the way from what the caller saw to its origin, by
//! failures and by time. The detectors in `detect` each look for one cause, and `decide` weighs them. The deepest cause
//! is blamed, never a service that only passes an error on.

mod candidate;
mod case;
mod decide;
mod detect;
mod focus;
mod path;
mod report;
mod timing;

use std::time::Duration;

pub use candidate::{Cause, Dependency};
pub use decide::Confidence;
pub use path::Spent;

use crate::{Kind, Trace};
use candidate::Candidate;
use case::Case;

/// The explanation of a trace.
#[derive(Debug, Clone)]
pub struct Explanation {
    pub trace_id: String,
    /// One sentence that can be passed on to other people.
    pub verdict: String,
    pub cause: Cause,
    pub confidence: Confidence,
    /// Where it went wrong. `None` if that is unknown.
    pub guilty: Option<Place>,
    pub evidence: Vec<String>,
    pub against: Vec<String>,
    /// Other possible causes, the most likely first.
    pub others: Vec<Other>,
    /// The critical path of the answer, by start time, followed by that of asynchronous work.
    pub path: Vec<Step>,
    /// What is missing in the trace. Empty for a complete one.
    pub missing: Vec<String>,
}

/// A span, and who is to blame for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub span_id: String,
    pub service: String,
    pub name: String,
    pub kind: Kind,
    /// Who is to blame: the service of the span, or its callee if that one makes no spans.
    pub blamed: String,
}

/// A less likely cause.
#[derive(Debug, Clone)]
pub struct Other {
    pub cause: Cause,
    /// From 0 to 1, and less than that of the verdict.
    pub weight: f64,
    pub sentence: String,
    pub place: Place,
}

/// A span's part of the critical path.
#[derive(Debug, Clone)]
pub struct Step {
    pub place: Place,
    pub spent: Spent,
    /// The start of its first part on the path, from the beginning of the request.
    pub start: Duration,
    /// Its total time on the path.
    pub time: Duration,
}

/// Explains what went wrong in a trace, or that nothing did.
pub fn explain(trace: &Trace) -> Explanation {
    let case = Case::new(trace);
    let (candidates, confidence) = decide::decide(&case);
    let missing = missing(&case);
    let place = |at: usize| {
        let span = case.span(at);
        let (service, name) = (span.service.clone(), span.name.clone());
        Place { span_id: span.span_id.clone(), service, name, kind: span.kind, blamed: case.blamed(at).to_owned() }
    };
    let nanos = |nanos: i64| Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
    let path = path::critical(&case).into_iter().map(|step| Step {
        place: place(step.at),
        spent: step.spent,
        start: nanos(step.start),
        time: nanos(step.time),
    });
    let path = path.collect();
    let (best, others) = match confidence {
        Confidence::CannotTell => (None, &candidates[..]),
        Confidence::Likely | Confidence::Certain => (candidates.first(), candidates.get(1..).unwrap_or_default()),
    };
    let verdict = match best {
        Some(best) => sentence(&case, best, confidence, &missing),
        None => no_sentence(candidates.first(), &missing),
    };
    let others = others.iter().map(|other| Other {
        cause: other.cause,
        weight: other.weight,
        sentence: other.sentence.clone(),
        place: place(other.at),
    });
    Explanation {
        trace_id: trace.id().to_owned(),
        verdict,
        cause: best.map_or(Cause::CannotTell, |best| best.cause),
        confidence,
        guilty: best.filter(|best| best.cause != Cause::Healthy).map(|best| place(best.at)),
        evidence: best.map(|best| best.evidence.clone()).unwrap_or_default(),
        against: best.map(|best| best.against.clone()).unwrap_or_default(),
        others: others.collect(),
        path,
        missing,
    }
}

fn missing(case: &Case<'_>) -> Vec<String> {
    let gaps = &case.gaps;
    let mut missing = Vec::new();
    if case.tree.spans().is_empty() {
        missing.push("there is no span at all".to_owned());
    } else if case.request.is_none() {
        missing.push("there is no root".to_owned());
    }
    for (count, what) in [
        (gaps.orphans.len(), "spans whose parent is missing"),
        (gaps.roots.len(), "more roots than one"),
        (gaps.unanswered.len(), "calls that were answered without a span"),
    ] {
        if count > 0 {
            missing.push(format!("{count} {what}"));
        }
    }
    missing
}

fn sentence(case: &Case<'_>, best: &Candidate, confidence: Confidence, missing: &[String]) -> String {
    let mut sentence = match confidence {
        Confidence::Certain => best.sentence.clone(),
        Confidence::Likely | Confidence::CannotTell => format!("most likely {}", best.sentence),
    };
    let has_failed = case.request.is_some_and(|request| case.bears(request));
    if has_failed && best.cause != Cause::ClientLeft {
        match case.stored() {
            Some(true) => sentence.push_str("; something had been stored before"),
            Some(false) => sentence.push_str("; nothing was stored"),
            None => {}
        }
    }
    if let Some(advice) = best.cause.advice() {
        sentence.push_str("; ");
        sentence.push_str(advice);
    }
    if !missing.is_empty() && best.cause != Cause::BrokenChain {
        sentence = format!("{sentence} (the trace is incomplete: {})", missing.join(", "));
    }
    capitalised(&sentence)
}

fn no_sentence(best: Option<&Candidate>, missing: &[String]) -> String {
    const ELSEWHERE: &str = "the request has not arrived, or was not sampled: the log lines of its id say more";
    let why =
        if missing.is_empty() { String::new() } else { format!(", for it is incomplete: {}", missing.join(", ")) };
    let guess = best.map_or_else(|| ELSEWHERE.to_owned(), |best| format!("it looks most like this: {}", best.sentence));
    capitalised(&format!("the trace does not say what went wrong{why}; {guess}"))
}

/// A service's name keeps its case.
fn capitalised(sentence: &str) -> String {
    const BEGINNINGS: [&str; 2] = ["the ", "most "];
    let (first, rest) = sentence.split_at(usize::from(BEGINNINGS.iter().any(|word| sentence.starts_with(word))));
    format!("{}{rest}.", first.to_uppercase())
}

#[cfg(test)]
mod tests;
