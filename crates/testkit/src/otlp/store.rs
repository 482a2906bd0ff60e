//! Received spans by trace.

use std::collections::{HashMap, VecDeque};

use tokio::sync::watch;

use crate::trace::{Span, Trace};

const MAX_TRACES: usize = 10_000;

#[derive(Debug)]
pub(super) struct Store {
    traces: watch::Sender<Traces>,
}

#[derive(Debug, Default)]
struct Traces {
    spans: HashMap<String, Vec<Span>>,
    oldest_first: VecDeque<String>,
}

impl Default for Store {
    fn default() -> Self {
        Self { traces: watch::Sender::new(Traces::default()) }
    }
}

impl Store {
    pub(super) fn add(&self, spans: Vec<Span>) {
        self.traces.send_modify(|traces| spans.into_iter().for_each(|span| traces.add(span)));
    }

    pub(super) fn trace(&self, trace_id: &str) -> Trace {
        self.traces.borrow().trace(trace_id)
    }

    pub(super) fn traces(&self) -> Vec<Trace> {
        let traces = self.traces.borrow();
        traces.oldest_first.iter().map(|trace_id| traces.trace(trace_id)).collect()
    }

    /// Looks again whenever spans of this trace have arrived.
    pub(super) async fn wait_for(&self, trace_id: &str, complete: impl Fn(&Trace) -> bool) -> Trace {
        let mut arrivals = self.traces.subscribe();
        let mut seen = None;
        loop {
            let count = arrivals.borrow_and_update().spans.get(trace_id).map_or(0, Vec::len);
            if seen.replace(count) != Some(count) {
                let trace = self.trace(trace_id);
                if complete(&trace) {
                    return trace;
                }
            }
            // The sender lives in `self`, so this is an arrival.
            let _ = arrivals.changed().await;
        }
    }
}

impl Traces {
    fn add(&mut self, span: Span) {
        if !self.spans.contains_key(&span.trace_id) {
            if self.oldest_first.len() == MAX_TRACES
                && let Some(oldest) = self.oldest_first.pop_front()
            {
                self.spans.remove(&oldest);
            }
            self.oldest_first.push_back(span.trace_id.clone());
        }
        self.spans.entry(span.trace_id.clone()).or_default().push(span);
    }

    fn trace(&self, trace_id: &str) -> Trace {
        Trace::new(self.spans.get(trace_id).cloned().unwrap_or_default())
    }
}
