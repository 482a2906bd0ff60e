//! Received spans by trace.

use std::collections::{HashMap, VecDeque};

use tokio::sync::watch;

use traces::{Span, Trace};

const MAX_TRACES: usize = 10_000;

#[derive(Debug)]
pub(super) struct Store {
    traces: watch::Sender<Traces>,
}

#[derive(Debug, Default)]
struct Traces {
    spans: HashMap<String, Arrived>,
    oldest_first: VecDeque<String>,
    /// How many times spans have arrived.
    arrivals: u64,
}

#[derive(Debug, Default)]
struct Arrived {
    spans: Vec<Span>,
    /// The number of the arrival that brought its newest spans.
    arrival: u64,
}

/// A subscription to new spans that does not borrow the receiver. Made by
/// [`Receiver::arrivals`](super::Receiver::arrivals).
#[derive(Debug)]
pub struct Arrivals {
    traces: watch::Receiver<Traces>,
    seen: u64,
}

impl Arrivals {
    /// Waits for new spans. Returns the traces they belong to, oldest first, each with all spans that have arrived for
    /// it, or `None` once the receiver is gone. The first call also returns what arrived before it; each later call
    /// returns what arrived since the previous one. Only the `newest` traces are considered.
    pub async fn next(&mut self, newest: usize) -> Option<Vec<Trace>> {
        let seen = self.seen;
        let traces = self.traces.wait_for(|traces| traces.arrivals > seen).await.ok()?;
        self.seen = traces.arrivals;
        let has_grown = |trace_id: &&String| traces.spans.get(*trace_id).is_some_and(|it| it.arrival > seen);
        let older = traces.oldest_first.len().saturating_sub(newest);
        Some(traces.oldest_first.iter().skip(older).filter(has_grown).map(|trace_id| traces.trace(trace_id)).collect())
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { traces: watch::Sender::new(Traces::default()) }
    }
}

impl Store {
    pub(super) fn add(&self, spans: Vec<Span>) {
        self.traces.send_modify(|traces| {
            traces.arrivals += 1;
            for span in spans {
                traces.add(span);
            }
        });
    }

    pub(super) fn arrivals(&self) -> Arrivals {
        Arrivals { traces: self.traces.subscribe(), seen: 0 }
    }

    pub(super) fn trace(&self, trace_id: &str) -> Trace {
        self.traces.borrow().trace(trace_id)
    }

    pub(super) fn traces(&self) -> Vec<Trace> {
        let traces = self.traces.borrow();
        traces.oldest_first.iter().map(|trace_id| traces.trace(trace_id)).collect()
    }

    /// Checks the trace again each time spans have arrived.
    pub(super) async fn wait_for(&self, trace_id: &str, complete: impl Fn(&Trace) -> bool) -> Trace {
        let mut arrivals = self.traces.subscribe();
        let mut seen = None;
        loop {
            let count = arrivals.borrow_and_update().spans.get(trace_id).map_or(0, |it| it.spans.len());
            if seen.replace(count) != Some(count) {
                let trace = self.trace(trace_id);
                if complete(&trace) {
                    return trace;
                }
            }
            // The sender is a field of `self`, so `changed` cannot fail here.
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
        let arrived = self.spans.entry(span.trace_id.clone()).or_default();
        arrived.arrival = self.arrivals;
        arrived.spans.push(span);
    }

    fn trace(&self, trace_id: &str) -> Trace {
        Trace::new(self.spans.get(trace_id).map(|it| it.spans.clone()).unwrap_or_default())
    }
}
