//! Whether traces are whole: rules that hold for every instrumented system, and trees that are expected of one.

mod expectation;
mod pairs;
mod report;
mod rules;

use std::collections::HashMap;
use std::time::Duration;

use crate::{Trace, Tree};

pub use expectation::{Expectation, Invalid};
pub use report::Report;

use pairs::Pairs;

/// What is tolerated.
#[derive(Debug, Clone, Copy)]
pub struct Margins {
    /// How far the clocks of two machines may differ.
    pub skew: Duration,
    /// How far times may be apart that one clock has told, for rounding: Jaeger's own format has microseconds.
    pub rounding: Duration,
}

impl Default for Margins {
    /// 50 ms between machines, 1 ms within one.
    fn default() -> Self {
        Self { skew: Duration::from_millis(50), rounding: Duration::from_millis(1) }
    }
}

/// What is asked of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// It has a root.
    Root,
    /// It has one root only, and none of its spans has its parent in another trace.
    OneTrace,
    /// The parent of every span is there.
    Parent,
    /// A server is called by a client or a producer, and a call that an instrumented service answers has its span.
    Kinds,
    /// A span lies within its parent, or does not keep it waiting.
    Times,
    /// Whoever stored it has no remark.
    Warnings,
    /// It is what the expectation says of traces with such a root.
    Expectation,
}

impl Rule {
    pub const ALL: [Self; 7] =
        [Self::Root, Self::OneTrace, Self::Parent, Self::Kinds, Self::Times, Self::Warnings, Self::Expectation];

    /// What a trace is called that breaks it.
    pub fn broken(self) -> &'static str {
        match self {
            Self::Root => "rootless",
            Self::OneTrace => "cross-linked",
            Self::Parent => "orphaned",
            Self::Kinds => "unpaired",
            Self::Times => "late",
            Self::Warnings => "warned of",
            Self::Expectation => "unexpected",
        }
    }
}

/// One place where a trace breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    pub trace_id: String,
    /// Empty where it is about the trace as a whole.
    pub span_id: String,
    /// The span as `service name KIND`.
    pub span: String,
    pub detail: String,
}

/// Judges traces, which are looked at together: a parent may have got into another one.
pub fn verify(traces: &[Trace], margins: Margins, expectation: Option<&Expectation>) -> Report {
    let places: HashMap<&str, &str> = traces
        .iter()
        .flat_map(|trace| &trace.spans)
        .map(|span| (span.span_id.as_str(), span.trace_id.as_str()))
        .collect();
    let pairs = Pairs::learn(traces);
    let judged = traces.iter().map(|trace| {
        let tree = Tree::new(&trace.spans);
        let mut violations = rules::structure(trace, &tree, &places);
        violations.extend(rules::kinds(&tree, &pairs));
        violations.extend(rules::times(&tree, margins));
        violations.extend(rules::warnings(trace));
        // A tree in pieces is like no other; the pieces are what to look at.
        if let Some(expectation) = expectation.filter(|_| tree.tops().len() == 1) {
            violations.extend(expectation.check(&tree));
        }
        violations
    });
    Report { traces: judged.collect() }
}

#[cfg(test)]
mod tests;
