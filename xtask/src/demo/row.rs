//! A trace as a line of the list.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use testkit::trace::{Span, Trace};
use traces::explain::{Cause, Explanation, explain};

/// No span of a trace that is complete comes after so long a pause.
const QUIET: Duration = Duration::from_secs(2);

/// A trace as far as it has arrived.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: String,
    /// When it began, such as `14:03:59`.
    pub(super) begun: String,
    pub(super) trace: Trace,
    pub(super) explanation: Explanation,
    /// Who sent it, if we did: `report`, or a scenario's name.
    pub(super) sender: Option<String>,
    /// Whether we wait for its answer.
    pub(super) is_awaited: bool,
    /// When the last span of it came.
    grown: Duration,
}

/// How a verdict is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Growing,
    Well,
    Unclear,
    Failed,
}

impl Mood {
    /// So that no colour is needed.
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
    /// One that we have just sent, and of which no span has come. `at` is in nanoseconds since the Unix epoch.
    pub(super) fn sent(id: String, sender: String, at: u64, zone: FixedOffset, now: Duration) -> Self {
        let trace = Trace::default();
        let explanation = explain(&trace);
        let begun = clock(at, zone);
        Self { id, begun, trace, explanation, sender: Some(sender), is_awaited: true, grown: now }
    }

    /// One that somebody else has sent.
    pub(super) fn arrived(trace: Trace, zone: FixedOffset, now: Duration) -> Self {
        let (id, begun) = (trace.id().to_owned(), clock(top(&trace).map_or(0, |top| top.start), zone));
        let explanation = explain(&trace);
        Self { id, begun, trace, explanation, sender: None, is_awaited: false, grown: now }
    }

    /// With what has come by now.
    pub(super) fn grow(&mut self, trace: Trace, now: Duration) {
        self.explanation = explain(&trace);
        (self.trace, self.grown) = (trace, now);
    }

    /// The request that it began with, and how that ended, such as `POST /v1/reports 201`.
    pub(super) fn entry(&self) -> String {
        let Some(top) = top(&self.trace) else { return "(no span)".to_owned() };
        let status = top.int("http.response.status_code").map(|status| status.to_string());
        let end = status.or_else(|| top.text("error.type").map(str::to_owned));
        end.map_or_else(|| top.name.clone(), |end| format!("{} {end}", top.name))
    }

    /// How long that request took, such as `5.0 s`; nothing where no span has come.
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

/// What the trace began with: its root, or what there is of it.
fn top(trace: &Trace) -> Option<&Span> {
    trace.roots().into_iter().next().or(trace.spans.first())
}

fn clock(nanos: u64, zone: FixedOffset) -> String {
    let time = DateTime::from_timestamp_nanos(i64::try_from(nanos).unwrap_or(i64::MAX)).with_timezone(&zone);
    time.format("%H:%M:%S").to_string()
}
