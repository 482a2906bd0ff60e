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
    /// How often spans have arrived.
    arrivals: u64,
}

#[derive(Debug, Default)]
struct Arrived {
    spans: Vec<Span>,
    /// The arrival that brought the last of them.
    arrival: u64,
}

/// What arrives at a receiver, for somebody who does not own it. Made by [`Receiver::arrivals`](super::Receiver::arrivals).
#[derive(Debug)]
pub struct Arrivals {
    traces: watch::Receiver<Traces>,
    seen: u64,
}

impl Arrivals {
    /// Waits for spans. Gives the traces that they belong to, oldest first, each with all that has arrived of it, or nothing
    /// once the receiver is gone. What comes between two calls is in the later one, and the first has what was there before.
    /// Only the `newest` traces count.
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

    /// Looks again whenever spans of this trace have arrived.
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
        let arrived = self.spans.entry(span.trace_id.clone()).or_default();
        arrived.arrival = self.arrivals;
        arrived.spans.push(span);
    }

    fn trace(&self, trace_id: &str) -> Trace {
        Trace::new(self.spans.get(trace_id).map(|it| it.spans.clone()).unwrap_or_default())
    }
}
