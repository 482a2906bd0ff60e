//! The outcome of a scenario, for people and for tests.

use std::fmt::{self, Write};
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::Value;
use traces::explain::{Cause, Explanation, Place};

use super::file::{Expected, Guilty, Line, Scenario};
use super::is_well;
use crate::client::Response;
use crate::trace::{Span, Trace};

/// The outcome of a scenario.
#[derive(Debug)]
pub struct Outcome {
    pub scenario: Scenario,
    /// The last answer that the phone got.
    pub answer: Option<Response>,
    pub trace: Trace,
    /// Where a person can look at the trace, if there is such a place.
    pub link: Option<String>,
    pub explanation: Explanation,
    /// The explanation of the same report without the faults.
    pub without: Explanation,
    /// The log lines with the trace's id.
    pub logs: Vec<Value>,
    pub took: Duration,
    /// The differences from the scenario's expectations; empty when there are none.
    pub deviations: Vec<String>,
}

impl Outcome {
    fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.status)
    }

    /// Fills in the deviations.
    pub(super) fn judged(mut self) -> Self {
        self.deviations = self.judge();
        self
    }

    fn judge(&self) -> Vec<String> {
        let expect = &self.scenario.expect;
        let mut deviations = Vec::new();
        let mut check = |is_right: bool, otherwise: String| deviations.extend((!is_right).then_some(otherwise));
        let status = self.status();
        check(status == expect.status, format!("the answer is {status:?} instead of {:?}", expect.status));
        let cause = self.explanation.cause.name();
        check(cause == expect.cause, format!("the verdict is {cause} instead of {}", expect.cause));
        let guilty = self.explanation.guilty.as_ref().map(blamed);
        check(guilty == expect.guilty, format!("{guilty:?} is blamed instead of {:?}", expect.guilty));
        let without = self.without.cause;
        check(is_well(without), format!("without the faults the verdict is {}", without.name()));
        check(without.name() != expect.cause, "the verdict is the same without the faults".to_owned());
        for expected in missing(&expect.spans, &self.trace) {
            check(false, format!("there is no such span: {expected:?}"));
        }
        for line in unsaid(&expect.logs, &self.logs) {
            check(false, format!("there is no such log line: {line:?}"));
        }
        deviations
    }

    /// The guilty span's percentage of the request's time, or of the whole trace if the span ends after the request.
    fn share(&self, guilty: &Place) -> Option<f64> {
        let span = self.trace.spans.iter().find(|span| span.span_id == guilty.span_id)?;
        let root = self.trace.roots().into_iter().next();
        let request = root.filter(|root| span.end <= root.end).map(Span::duration);
        let start = self.trace.spans.iter().map(|span| span.start).min()?;
        let end = self.trace.spans.iter().map(|span| span.end).max()?;
        let all = request.unwrap_or(Duration::from_nanos(end - start));
        Some(100.0 * span.duration().as_secs_f64() / all.as_secs_f64().max(f64::EPSILON))
    }
}

fn blamed(place: &Place) -> Guilty {
    Guilty { service: place.service.clone(), span: place.name.clone() }
}

/// The expected spans that are missing.
pub(super) fn missing<'e>(expected: &'e [Expected], trace: &Trace) -> Vec<&'e Expected> {
    let is_alike = |expected: &Expected, span: &Span| {
        span.service == expected.service
            && span.name == expected.span
            && expected.failed.is_none_or(|failed| failed == span.status.is_error())
    };
    let count = |expected: &Expected| trace.spans.iter().filter(|span| is_alike(expected, span)).count();
    expected.iter().filter(|&expected| count(expected) < expected.times).collect()
}

/// The expected log lines that are missing.
pub(super) fn unsaid<'e>(expected: &'e [Line], lines: &[Value]) -> Vec<&'e Line> {
    let is_said =
        |line: &&Line| lines.iter().any(|said| said["service"] == line.service && said["message"] == line.message);
    expected.iter().filter(|line| !is_said(line)).collect()
}

impl Outcome {
    /// The id of the guilty span and a remark about it; `None` when no span is to blame.
    pub fn remark(&self) -> Option<(&str, String)> {
        let guilty = self.explanation.guilty.as_ref()?;
        let share = self.share(guilty).map(|share| format!(", {share:.0} % of the time")).unwrap_or_default();
        let remark = match self.explanation.cause {
            Cause::BrokenChain => "the chain is broken here".to_owned(),
            _ => format!("to blame: {}{share}", guilty.blamed),
        };
        Some((&guilty.span_id, remark))
    }

    /// What a person gets who wants to find the cause: the story, the tree, the log lines and the question.
    pub fn quiz(&self) -> String {
        format!("{}\n{}\n", self.story(None), self.scenario.question)
    }

    fn story(&self, remark: Option<(&str, &str)>) -> String {
        let Scenario { name, title, patient, .. } = &self.scenario;
        let answer = match &self.answer {
            Some(answer) => format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
            None => "no answer".to_owned(),
        };
        let trace = match remark {
            Some((span_id, remark)) => self.trace.render_with_remark(span_id, remark),
            None if self.trace.is_empty() => "No span of the trace has arrived.\n".to_owned(),
            None => self.trace.render(),
        };
        let logs: String = self.logs.iter().map(|line| in_short(line) + "\n").collect();
        let gap = if logs.is_empty() { "" } else { "\n" };
        format!("== {name}: {title}\n\nThe patient: {patient}\n\nPOST /v1/reports -> {answer}\n\n{trace}{gap}{logs}")
    }
}

/// The story, the tree with the guilty span marked, the log lines, and the verdict with the evidence for and against
/// it.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scenario { question, answer, .. } = &self.scenario;
        let Explanation { verdict, cause, confidence, evidence, against, .. } = &self.explanation;
        let remark = self.remark();
        writeln!(f, "{}", self.story(remark.as_ref().map(|(span_id, remark)| (*span_id, &**remark))))?;
        self.link.iter().try_for_each(|link| writeln!(f, "{link}\n"))?;
        writeln!(f, "{question}\n{answer}\n")?;
        writeln!(f, "verdict     {verdict}")?;
        writeln!(f, "cause       {} ({})", cause.name(), confidence.name())?;
        evidence.iter().try_for_each(|evidence| writeln!(f, "for         {evidence}"))?;
        against.iter().try_for_each(|against| writeln!(f, "against     {against}"))?;
        writeln!(f, "without it  {}", self.without.verdict)?;
        self.deviations.iter().try_for_each(|deviation| writeln!(f, "NOT AS EXPECTED: {deviation}"))
    }
}

/// A log line without the fields that all lines of a trace have in common.
pub fn in_short(line: &Value) -> String {
    const COMMON: [&str; 8] = ["timestamp", "level", "service", "target", "trace_id", "span_id", "sampled", "message"];
    let text = |key: &str| line[key].as_str().unwrap_or_default();
    let mut short = format!("{} {:5} {:10} {}", text("timestamp"), text("level"), text("service"), text("message"));
    for (key, value) in line.as_object().into_iter().flatten().filter(|(key, _)| !COMMON.contains(&&***key)) {
        // Writing to a String cannot fail.
        let _ = write!(short, " {key}={value}");
    }
    short
}

/// A table with one line for each scenario.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(["SCENARIO", "ANSWER", "VERDICT", "TO BLAME", "WITHOUT IT", "TOOK", ""]);
    for outcome in outcomes {
        let guilty = outcome.explanation.guilty.as_ref();
        table.add_row([
            outcome.scenario.name.clone(),
            outcome.status().map_or_else(|| "none".to_owned(), |status| status.to_string()),
            outcome.explanation.cause.name(),
            guilty.map(|guilty| format!("{} {}", guilty.service, guilty.name)).unwrap_or_default(),
            outcome.without.cause.name(),
            format!("{:.1} s", outcome.took.as_secs_f64()),
            if outcome.deviations.is_empty() { "as expected".to_owned() } else { "NOT AS EXPECTED".to_owned() },
        ]);
    }
    table.to_string()
}
