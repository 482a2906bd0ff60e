//! A trace as a row of the list.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use testkit::trace::{Span, Trace};
use traces::explain::{Cause, Explanation, explain};

/// When no span has arrived for this long, the trace is complete.
const QUIET: Duration = Duration::from_secs(2);

/// A trace as far as it has arrived.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: String,
    /// The start time, such as `14:03:59`.
    pub(super) begun: String,
    pub(super) trace: Trace,
    pub(super) explanation: Explanation,
    /// How the demo sent it: `report`, or a scenario's name. `None` if somebody else did.
    pub(super) sender: Option<String>,
    /// Whether its answer has not arrived yet.
    pub(super) is_awaited: bool,
    /// When its last span arrived.
    grown: Duration,
}

/// The rating of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Growing,
    Well,
    Unclear,
    Failed,
}

impl Mood {
    /// A mark with the same meaning as the colour, for screens without colours.
    pub(super) fn mark(self) -> char {
        match self {
            Self::Growing => '…',
            Self::Well => '✓',
            Self::Unclear => '~',
            Self::Failed => '✗',
        }
    }
}

impl Row {
    /// A report that was just sent and has no spans yet. `at` is in nanoseconds since the Unix epoch.
    pub(super) fn sent(id: String, sender: String, at: u64, zone: FixedOffset, now: Duration) -> Self {
        let trace = Trace::default();
        let explanation = explain(&trace);
        let begun = clock(at, zone);
        Self { id, begun, trace, explanation, sender: Some(sender), is_awaited: true, grown: now }
    }

    /// A trace that somebody else has sent.
    pub(super) fn arrived(trace: Trace, zone: FixedOffset, now: Duration) -> Self {
        let (id, begun) = (trace.id().to_owned(), clock(top(&trace).map_or(0, |top| top.start), zone));
        let explanation = explain(&trace);
        Self { id, begun, trace, explanation, sender: None, is_awaited: false, grown: now }
    }

    /// Replaces the trace by one with more spans.
    pub(super) fn grow(&mut self, trace: Trace, now: Duration) {
        self.explanation = explain(&trace);
        (self.trace, self.grown) = (trace, now);
    }

    /// The request at its start with the result, such as `POST /v1/reports 201`.
    pub(super) fn entry(&self) -> String {
        let Some(top) = top(&self.trace) else { return "(no span)".to_owned() };
        let status = top.int("http.response.status_code").map(|status| status.to_string());
        let end = status.or_else(|| top.text("error.type").map(str::to_owned));
        end.map_or_else(|| top.name.clone(), |end| format!("{} {end}", top.name))
    }

    /// The duration of that request, such as `5.0 s`. Empty without spans.
    pub(super) fn took(&self) -> String {
        let seconds = top(&self.trace).map(|top| top.duration().as_secs_f64());
        match seconds {
            Some(seconds) if seconds >= 1.0 => format!("{seconds:.1} s"),
            Some(seconds) => format!("{:.0} ms", seconds * 1e3),
            None => String::new(),
        }
    }

    pub(super) fn services(&self) -> usize {
        self.trace.spans.iter().map(|span| &*span.service).collect::<BTreeSet<_>>().len()
    }

    pub(super) fn mood(&self, now: Duration) -> Mood {
        match self.explanation.cause {
            _ if self.is_awaited || now < self.grown + QUIET => Mood::Growing,
            Cause::Healthy => Mood::Well,
            cause if cause.is_failure() => Mood::Failed,
            _ => Mood::Unclear,
        }
    }
}

/// The first span: the root, or the earliest one that has arrived.
fn top(trace: &Trace) -> Option<&Span> {
    trace.roots().into_iter().next().or(trace.spans.first())
}

fn clock(nanos: u64, zone: FixedOffset) -> String {
    let time = DateTime::from_timestamp_nanos(i64::try_from(nanos).unwrap_or(i64::MAX)).with_timezone(&zone);
    time.format("%H:%M:%S").to_string()
}
