//! An explanation as text and as JSON.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::candidate::{shortened, time};
use super::{Confidence, Explanation, Place, Spent};
use crate::render::align;

/// The most other causes and the most steps of the path that the text shows.
const OTHERS: usize = 4;
const STEPS: usize = 15;

impl Explanation {
    /// The time on the critical path that was spent on this.
    pub fn spent(&self, on: Spent) -> Duration {
        self.path.iter().filter(|step| step.spent == on).map(|step| step.time).sum()
    }

    pub fn to_json(&self) -> Value {
        let others = self.others.iter().map(|other| {
            json!({
                "cause": other.cause.name(),
                "weight": (other.weight * 100.0).round() / 100.0,
                "sentence": other.sentence,
                "span": place(&other.place),
            })
        });
        let path = self.path.iter().map(|step| {
            json!({
                "span": place(&step.place),
                "spent": step.spent.name(),
                "start_ms": milliseconds(step.start),
                "time_ms": milliseconds(step.time),
            })
        });
        let spent = SPENT.map(|spent| (spent.name().to_owned(), milliseconds(self.spent(spent)).into()));
        json!({
            "trace_id": self.trace_id,
            "verdict": self.verdict,
            "cause": self.cause.name(),
            "confidence": self.confidence.name(),
            "guilty": self.guilty.as_ref().map(place),
            "evidence": {"for": self.evidence, "against": self.against},
            "others": others.collect::<Vec<_>>(),
            "spent_ms": serde_json::Map::from_iter(spent),
            "path": path.collect::<Vec<_>>(),
            "complete": self.missing.is_empty(),
            "missing": self.missing,
        })
    }
}

const SPENT: [Spent; 4] = [Spent::Own, Spent::Waiting, Spent::Network, Spent::Asynchronous];

fn place(place: &Place) -> Value {
    json!({
        "span_id": place.span_id,
        "service": place.service,
        "name": place.name,
        "kind": place.kind.name(),
        "blamed": place.blamed,
    })
}

/// With microseconds as decimals.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn in_words(duration: Duration) -> String {
    time(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.verdict)?;
        writeln!(f, "cause       {} ({})", self.cause.name(), self.confidence.name())?;
        if let Some(Place { span_id, service, name, kind, .. }) = &self.guilty {
            writeln!(f, "guilty      {service} {} {kind} ({span_id})", shortened(name))?;
        }
        for evidence in &self.evidence {
            writeln!(f, "for         {evidence}")?;
        }
        for against in &self.against {
            writeln!(f, "against     {against}")?;
        }
        let heading = if self.confidence == Confidence::CannotTell { "perhaps     " } else { "or          " };
        for other in self.others.iter().take(OTHERS) {
            writeln!(f, "{heading}{} ({:.2}): {}", other.cause.name(), other.weight, other.sentence)?;
        }
        for missing in &self.missing {
            writeln!(f, "missing     {missing}")?;
        }
        f.write_str("\n")?;
        f.write_str(&self.path_for_people())
    }
}

impl Explanation {
    /// The steps with the most time, in order, and the sum of all steps.
    fn path_for_people(&self) -> String {
        let mut longest: Vec<Duration> = self.path.iter().map(|step| step.time).collect();
        longest.sort_unstable_by(|one, other| other.cmp(one));
        let least = longest.get(STEPS - 1).copied().unwrap_or_default();
        let right = |text: String| format!("{text:>9}");
        let mut rows = vec![["WHERE THE TIME WENT", "SPAN", "    START", "     TIME", "ON"].map(ToOwned::to_owned)];
        rows.extend(self.path.iter().filter(|step| step.time >= least).map(|step| {
            let Place { service, name, .. } = &step.place;
            let (start, time) = (right(in_words(step.start)), right(in_words(step.time)));
            [service.clone(), shortened(name), start, time, step.spent.name().to_owned()]
        }));
        rows.extend(SPENT.iter().filter(|spent| !self.spent(**spent).is_zero()).map(|spent| {
            let time = right(in_words(self.spent(*spent)));
            ["all".to_owned(), String::new(), String::new(), time, spent.name().to_owned()]
        }));
        align(&rows)
    }
}
