//! What came of it, for people and for programs.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

use super::{Offence, Rule};
use crate::render::align;

/// How many offences of each rule are shown.
const SHOWN: usize = 3;

/// What is wrong with each trace, in the order in which they were given.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub traces: Vec<Vec<Offence>>,
}

impl Report {
    /// Whether every trace is whole.
    pub fn is_good(&self) -> bool {
        self.traces.iter().all(Vec::is_empty)
    }

    pub fn whole(&self) -> usize {
        self.traces.iter().filter(|offences| offences.is_empty()).count()
    }

    pub fn offences(&self, rule: Rule) -> impl Iterator<Item = &Offence> {
        self.traces.iter().flatten().filter(move |offence| offence.rule == rule)
    }

    /// How many traces break a rule.
    pub fn broken(&self, rule: Rule) -> usize {
        self.offences(rule).map(|offence| &offence.trace_id).collect::<BTreeSet<_>>().len()
    }

    pub fn to_json(&self) -> Value {
        let counts = Rule::ALL.map(|rule| (rule.broken().to_owned(), json!(self.broken(rule))));
        let offences = self.traces.iter().flatten().map(|offence| {
            json!({
                "rule": offence.rule.broken(),
                "trace_id": offence.trace_id,
                "span_id": (!offence.span_id.is_empty()).then_some(&offence.span_id),
                "span": offence.span,
                "detail": offence.detail,
            })
        });
        json!({
            "traces": self.traces.len(),
            "whole": self.whole(),
            "broken": serde_json::Map::from_iter(counts),
            "offences": offences.collect::<Vec<_>>(),
        })
    }
}

/// A table of counts, each with its first offences.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |what: &str, count: usize| [what.to_owned(), format!("{count:>7}"), String::new(), String::new()];
        let mut rows = vec![["", " TRACES", "SPAN", "WHY"].map(ToOwned::to_owned), row("whole", self.whole())];
        for rule in Rule::ALL {
            rows.push(row(rule.broken(), self.broken(rule)));
            rows.extend(self.offences(rule).take(SHOWN).map(|offence| {
                let place = format!("  {}", offence.trace_id);
                [place, String::new(), offence.span.clone(), offence.detail.clone()]
            }));
            let more = self.offences(rule).count().saturating_sub(SHOWN);
            if more > 0 {
                rows.push(["  ...".to_owned(), String::new(), format!("{more} more"), String::new()]);
            }
        }
        rows.push(row("all", self.traces.len()));
        f.write_str(&align(&rows))
    }
}
