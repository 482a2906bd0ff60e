//! The rules for every instrumented system.

use std::collections::HashMap;
use std::time::Duration;

use super::pairs::Pairs;
use super::{Margins, Rule, Violation};
use crate::conventions::{Facts, same_clock};
use crate::{Kind, Span, Trace, Tree};

impl Violation {
    pub(super) fn of(rule: Rule, span: &Span, detail: impl Into<String>) -> Self {
        Self {
            rule,
            trace_id: span.trace_id.clone(),
            span_id: span.span_id.clone(),
            span: format!("{} {} {}", span.service, span.name, span.kind),
            detail: detail.into(),
        }
    }
}

/// Checks that there is one root, and that every parent is in this trace. `places` has the trace of every span, over
/// all traces.
pub(super) fn structure(trace: &Trace, tree: &Tree<'_>, places: &HashMap<&str, &str>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut roots = 0;
    for top in tree.tops().iter().map(|top| &tree.spans()[*top]) {
        let Some(parent) = &top.parent_span_id else {
            roots += 1;
            if roots > 1 {
                violations.push(Violation::of(Rule::OneTrace, top, "another root of the same trace"));
            }
            continue;
        };
        violations.push(match places.get(parent.as_str()) {
            Some(place) if *place == top.trace_id => {
                Violation::of(Rule::OneTrace, top, format!("its parent {parent} is below itself"))
            }
            Some(place) => Violation::of(Rule::OneTrace, top, format!("its parent {parent} is in the trace {place}")),
            None => Violation::of(Rule::Parent, top, format!("its parent {parent} is missing")),
        });
    }
    if roots == 0
        && let Some(first) = trace.spans.first()
    {
        let mut violation = Violation::of(Rule::Root, first, "no span is without a parent; this is the first");
        violation.span_id.clear();
        violations.push(violation);
    }
    violations
}

pub(super) fn kinds(tree: &Tree<'_>, pairs: &Pairs<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (at, span) in tree.spans().iter().enumerate() {
        if span.kind == Kind::Server
            && let Some(caller) = tree.parent(at).map(|parent| &tree.spans()[parent])
            && !matches!(caller.kind, Kind::Client | Kind::Producer)
        {
            let caller = format!("{} {} {}", caller.service, caller.name, caller.kind);
            violations.push(Violation::of(Rule::Kinds, span, format!("it is called by {caller}, which is no call")));
        }
        let answers = |child: &usize| matches!(tree.spans()[*child].kind, Kind::Server | Kind::Consumer);
        if pairs.is_answered(span) && !tree.children(at).iter().any(answers) {
            violations.push(Violation::of(Rule::Kinds, span, "the service that answered it has left no span"));
        }
    }
    violations
}

pub(super) fn times(tree: &Tree<'_>, margins: Margins) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (at, span) in tree.spans().iter().enumerate() {
        if span.end < span.start {
            violations.push(Violation::of(Rule::Times, span, "it ends before it begins"));
        }
        if let Some(parent) = tree.parent(at)
            && let Some(detail) = outside(span, &tree.spans()[parent], margins)
        {
            violations.push(Violation::of(Rule::Times, span, detail));
        }
    }
    violations
}

/// How a span lies outside its parent, if that is not allowed.
///
/// A span may end after its parent if the parent does not wait for it: it processes a message, is a separate piece of
/// work (INTERNAL, PRODUCER), belongs to a message handler, or its caller has given up.
fn outside(span: &Span, parent: &Span, margins: Margins) -> Option<String> {
    let margin = if same_clock(span, parent) { margins.rounding } else { margins.skew };
    let margin = u64::try_from(margin.as_nanos()).unwrap_or(u64::MAX);
    let by = |nanos: u64| format!("{:.1} ms", Duration::from_nanos(nanos).as_secs_f64() * 1e3);
    let early = parent.start.saturating_sub(span.start);
    if early > margin {
        return Some(format!("it begins {} before its parent", by(early)));
    }
    let handles_messages = |span: &Span| matches!(span.kind, Kind::Producer | Kind::Consumer);
    if span.follows || handles_messages(parent) || span.kind == Kind::Consumer {
        return None;
    }
    let after = span.start.saturating_sub(parent.end);
    if after > margin {
        return Some(format!("it begins {} after its parent has ended", by(after)));
    }
    let late = span.end.saturating_sub(parent.end);
    let is_own_work = matches!(span.kind, Kind::Internal | Kind::Producer);
    let is_late = late > margin && !is_own_work && !Facts::of(parent).failed();
    is_late.then(|| format!("it ends {} after its parent, which should have waited for it", by(late)))
}

pub(super) fn warnings(trace: &Trace) -> Vec<Violation> {
    let remarks = trace.spans.iter().flat_map(|span| span.warnings.iter().map(move |warning| (span, warning)));
    remarks.map(|(span, warning)| Violation::of(Rule::Warnings, span, warning)).collect()
}
