//! The result as text and as JSON.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

use super::{Rule, Violation};
use crate::render::align;

/// How many violations of each rule are shown.
const SHOWN: usize = 3;

/// The violations of each trace, in the order of the traces.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub traces: Vec<Vec<Violation>>,
}

impl Report {
    /// Whether every trace is complete.
    pub fn is_good(&self) -> bool {
        self.traces.iter().all(Vec::is_empty)
    }

    pub fn whole(&self) -> usize {
        self.traces.iter().filter(|violations| violations.is_empty()).count()
    }

    pub fn violations(&self, rule: Rule) -> impl Iterator<Item = &Violation> {
        self.traces.iter().flatten().filter(move |violation| violation.rule == rule)
    }

    /// How many traces break a rule.
    pub fn broken(&self, rule: Rule) -> usize {
        self.violations(rule).map(|violation| &violation.trace_id).collect::<BTreeSet<_>>().len()
    }

    pub fn to_json(&self) -> Value {
        let counts = Rule::ALL.map(|rule| (rule.broken().to_owned(), json!(self.broken(rule))));
        let violations = self.traces.iter().flatten().map(|violation| {
            json!({
                "rule": violation.rule.broken(),
                "trace_id": violation.trace_id,
                "span_id": (!violation.span_id.is_empty()).then_some(&violation.span_id),
                "span": violation.span,
                "detail": violation.detail,
            })
        });
        json!({
            "traces": self.traces.len(),
            "whole": self.whole(),
            "broken": serde_json::Map::from_iter(counts),
            "violations": violations.collect::<Vec<_>>(),
        })
    }
}

/// A table of counts, each with its first violations.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |what: &str, count: usize| [what.to_owned(), format!("{count:>7}"), String::new(), String::new()];
        let mut rows = vec![["", " TRACES", "SPAN", "WHY"].map(ToOwned::to_owned), row("whole", self.whole())];
        for rule in Rule::ALL {
            rows.push(row(rule.broken(), self.broken(rule)));
            rows.extend(self.violations(rule).take(SHOWN).map(|violation| {
                let place = format!("  {}", violation.trace_id);
                [place, String::new(), violation.span.clone(), violation.detail.clone()]
            }));
            let more = self.violations(rule).count().saturating_sub(SHOWN);
            if more > 0 {
                rows.push(["  ...".to_owned(), String::new(), format!("{more} more"), String::new()]);
            }
        }
        rows.push(row("all", self.traces.len()));
        f.write_str(&align(&rows))
    }
}
