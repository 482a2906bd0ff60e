use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem::size_of;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::trace::{Event, Link, Status, TraceId};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;

use crate::config::Errors;
use crate::trace_state;

/// A buffer for undecided traces. A fragment is the part of such a trace that this process has. It is exported if a
/// span of the trace fails, and dropped if none has failed when its hold time is over.
#[derive(Debug)]
pub(super) struct Fragments {
    /// How long a fragment stays after its last span has ended.
    hold: Duration,
    /// The limit for all fragments together, in bytes.
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    fragments: HashMap<TraceId, Fragment>,
    /// Fragments that have spans, the oldest first.
    by_age: BTreeMap<u64, TraceId>,
    next: u64,
    /// Fragments whose last span has ended, and when.
    ended: VecDeque<(Instant, TraceId)>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Fragment {
    kept: bool,
    /// Spans that have begun and not ended.
    open: usize,
    /// When the last one has ended.
    since: Option<Instant>,
    spans: Vec<SpanData>,
    bytes: usize,
    /// Its place in `by_age`.
    age: u64,
}

/// What has left the buffer.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) exported: Vec<SpanData>,
    /// How many spans were dropped to make room for newer ones.
    pub(super) displaced: u64,
}

impl Fragments {
    pub(super) fn new(config: &Errors) -> Self {
        Self { hold: config.hold, limit: config.bytes, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget(self.hold);
        state
    }

    /// Notes that a span of an undecided trace has begun.
    pub(super) fn begin(&self, trace_id: TraceId) {
        self.lock().fragments.entry(trace_id).or_default().open += 1;
    }

    /// Adds an ended span. A failed span exports the whole fragment.
    pub(super) fn end(&self, span: SpanData) -> Outcome {
        let trace_id = span.span_context.trace_id();
        let failed = matches!(span.status, Status::Error { .. });
        let mut state = self.lock();
        let fragment = state.fragments.entry(trace_id).or_default();
        fragment.open = fragment.open.saturating_sub(1);
        let mut outcome = Outcome::default();
        if failed || fragment.kept {
            outcome.exported = state.keep(trace_id);
            outcome.exported.push(kept(span));
        } else {
            state.store(trace_id, span);
            outcome.displaced = state.make_room(self.limit);
        }
        state.note_end(trace_id);
        outcome
    }

    /// Keeps a trace: returns its spans that wait here and has its later ones exported, until the fragment is removed.
    /// Does nothing if the trace has no fragment here.
    pub(super) fn keep(&self, trace_id: TraceId) -> Vec<SpanData> {
        let mut state = self.lock();
        if state.fragments.contains_key(&trace_id) { state.keep(trace_id) } else { Vec::new() }
    }

    pub(super) fn is_kept(&self, trace_id: TraceId) -> bool {
        self.lock().fragments.get(&trace_id).is_some_and(|fragment| fragment.kept)
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        let state = self.lock();
        (state.fragments.len(), state.bytes)
    }
}

impl State {
    /// Removes fragments whose last span ended at least `hold` ago.
    fn forget(&mut self, hold: Duration) {
        while let Some((at, trace_id)) = self.ended.front().copied() {
            if at.elapsed() < hold {
                return;
            }
            self.ended.pop_front();
            // A span of the trace may have begun or ended since.
            if self.fragments.get(&trace_id).is_some_and(|fragment| fragment.open == 0 && fragment.since == Some(at)) {
                self.take(trace_id);
                self.fragments.remove(&trace_id);
            }
        }
    }

    fn store(&mut self, trace_id: TraceId, span: SpanData) {
        let Some(fragment) = self.fragments.get_mut(&trace_id) else { return };
        let bytes = weight(&span);
        if fragment.spans.is_empty() {
            fragment.age = self.next;
            self.by_age.insert(self.next, trace_id);
            self.next += 1;
        }
        fragment.spans.push(span);
        fragment.bytes += bytes;
        self.bytes += bytes;
    }

    /// Drops the spans of the oldest fragments until the rest fits; returns how many they were.
    fn make_room(&mut self, limit: usize) -> u64 {
        let mut displaced = 0;
        while self.bytes > limit
            && let Some((_, trace_id)) = self.by_age.first_key_value()
        {
            displaced += self.take(*trace_id).len() as u64;
        }
        displaced
    }

    /// Takes all spans out of a fragment.
    fn take(&mut self, trace_id: TraceId) -> Vec<SpanData> {
        let Some(fragment) = self.fragments.get_mut(&trace_id) else { return Vec::new() };
        if !fragment.spans.is_empty() {
            self.by_age.remove(&fragment.age);
        }
        self.bytes -= std::mem::take(&mut fragment.bytes);
        std::mem::take(&mut fragment.spans)
    }

    fn keep(&mut self, trace_id: TraceId) -> Vec<SpanData> {
        if let Some(fragment) = self.fragments.get_mut(&trace_id) {
            fragment.kept = true;
        }
        self.take(trace_id).into_iter().map(kept).collect()
    }

    fn note_end(&mut self, trace_id: TraceId) {
        if let Some(fragment) = self.fragments.get_mut(&trace_id)
            && fragment.open == 0
        {
            let now = Instant::now();
            fragment.since = Some(now);
            self.ended.push_back((now, trace_id));
        }
    }
}

/// A span as it is exported: sampled, with an unknown probability.
fn kept(mut span: SpanData) -> SpanData {
    span.span_context = trace_state::kept(&span.span_context);
    span
}

/// The approximate size of a span in memory, in bytes. Data that spans share is counted for each of them.
fn weight(span: &SpanData) -> usize {
    let attributes = |pairs: &[KeyValue]| pairs.iter().map(pair).sum::<usize>();
    let events = span.events.events.iter().map(|event| size_of::<Event>() + attributes(&event.attributes));
    let links = span.links.links.iter().map(|link| size_of::<Link>() + attributes(&link.attributes));
    size_of::<SpanData>() + span.name.len() + attributes(&span.attributes) + events.chain(links).sum::<usize>()
}

fn pair(pair: &KeyValue) -> usize {
    let text = match &pair.value {
        Value::String(text) => text.as_str().len(),
        _ => 0,
    };
    size_of::<KeyValue>() + text
}
