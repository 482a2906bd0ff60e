//! Checks that traces are complete, with rules for every instrumented system and with expected trees of one system.

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

/// Tolerances.
#[derive(Debug, Clone, Copy)]
pub struct Margins {
    /// The clock skew between two machines.
    pub skew: Duration,
    /// The rounding of times from the same clock. Jaeger's own format has microseconds.
    pub rounding: Duration,
}

impl Default for Margins {
    /// 50 ms between machines, 1 ms within one.
    fn default() -> Self {
        Self { skew: Duration::from_millis(50), rounding: Duration::from_millis(1) }
    }
}

/// A requirement for a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// It has a root.
    Root,
    /// It has only one root, and no span has a parent in another trace.
    OneTrace,
    /// The parent of every span is present.
    Parent,
    /// A server span has a client or producer as its parent, and a call to an instrumented service has a server span.
    Kinds,
    /// A span lies within its parent, or is asynchronous.
    Times,
    /// The storage has no warnings about it.
    Warnings,
    /// It matches the expectation for traces with such a root.
    Expectation,
}

impl Rule {
    pub const ALL: [Self; 7] =
        [Self::Root, Self::OneTrace, Self::Parent, Self::Kinds, Self::Times, Self::Warnings, Self::Expectation];

    /// The description of a trace that breaks the rule.
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
    /// Empty if it is about the whole trace.
    pub span_id: String,
    /// The span as `service name KIND`.
    pub span: String,
    pub detail: String,
}

/// Checks traces. They are checked together, because a parent may be in another trace.
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
        // A trace in pieces would match no tree, and the pieces are reported already.
        if let Some(expectation) = expectation.filter(|_| tree.tops().len() == 1) {
            violations.extend(expectation.check(&tree));
        }
        violations
    });
    Report { traces: judged.collect() }
}

#[cfg(test)]
mod tests;
