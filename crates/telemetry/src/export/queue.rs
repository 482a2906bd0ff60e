use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;
use tokio::sync::Notify;

use super::Counts;
use super::shedding::{self, Shedding};
use crate::config::Queue as Limits;

/// Ended spans on their way to the thread that sends them.
#[derive(Debug)]
pub(super) struct Queue {
    limits: Limits,
    state: Mutex<State>,
    /// Wakes the thread.
    work: Notify,
    /// Wakes callers that wait until everything is sent.
    settled: Condvar,
    pub(super) counts: Counts,
}

#[derive(Debug, Default)]
struct State {
    spans: VecDeque<Waiting>,
    shedding: Shedding,
    /// Whether the thread is sending.
    busy: bool,
    /// Whether a caller waits until everything is sent.
    flushing: bool,
    /// Set at shutdown: until when the rest may be sent. What is left then is lost.
    closed: Option<Instant>,
}

#[derive(Debug)]
struct Waiting {
    span: SpanData,
    /// How often the probability of keeping its trace was halved, before and since it was queued.
    halvings: u8,
}

impl State {
    /// Sheds traces until fewer than `high` spans wait or almost all traces are shed; returns how many spans they had.
    fn shed(&mut self, high: usize) -> u64 {
        let before = self.spans.len();
        while self.spans.len() >= high && self.shedding.raise() {
            let shedding = &self.shedding;
            self.spans.retain_mut(|waiting| {
                let halvings = shedding.admit(&waiting.span.span_context);
                waiting.halvings = waiting.halvings.max(halvings.unwrap_or_default());
                halvings.is_some()
            });
        }
        (before - self.spans.len()) as u64
    }

    fn is_settled(&self) -> bool {
        self.spans.is_empty() && !self.busy
    }
}

impl Waiting {
    /// The span, with a threshold that says that it also stands for spans that were shed.
    fn leave(self) -> SpanData {
        let mut span = self.span;
        if let Some(marked) = shedding::marked(&span.span_context, self.halvings) {
            span.span_context = marked;
        }
        span
    }
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
            work: Notify::new(),
            settled: Condvar::new(),
            counts: Counts::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Spans that wait.
    pub(super) fn len(&self) -> usize {
        self.lock().spans.len()
    }

    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.lock().spans.capacity()
    }

    /// Queues a span. When the queue is nearly full whole traces are shed, those with failures last. `failed` says that
    /// the span's trace is exported because of a failure. The thread is woken for the first span and for a full batch
    /// only.
    pub(super) fn push(&self, span: SpanData, failed: bool) {
        self.counts.end();
        let mut state = self.lock();
        if state.closed.is_some() {
            return self.counts.lose("already_shutdown", 1);
        }
        if failed || matches!(span.status, Status::Error { .. }) {
            state.shedding.spare(span.span_context.trace_id());
        }
        let size = self.limits.size;
        let has_room = state.spans.len() <= size / 2;
        state.shedding.ease(has_room);
        let shed = state.shed(size - size / 8);
        let cause = match state.shedding.admit(&span.span_context) {
            None => Some("shed"),
            Some(_) if state.spans.len() >= size => Some("queue_full"),
            Some(halvings) => {
                state.spans.push_back(Waiting { span, halvings });
                None
            }
        };
        let waiting = state.spans.len();
        drop(state);
        self.counts.lose("shed", shed);
        if let Some(cause) = cause {
            return self.counts.lose(cause, 1);
        }
        if waiting == 1 || waiting == self.limits.batch {
            self.work.notify_one();
        }
    }

    /// The next batch, once it is full or its first span has waited long enough; `None` at the end.
    pub(super) async fn next(&self) -> Option<Vec<SpanData>> {
        loop {
            let waits = {
                let mut state = self.lock();
                state.busy = false;
                if state.is_settled() {
                    state.flushing = false;
                    self.settled.notify_all();
                    if state.closed.is_some() {
                        return None;
                    }
                }
                !state.spans.is_empty()
            };
            if waits {
                break;
            }
            self.work.notified().await;
        }
        let _ = tokio::time::timeout(self.limits.delay, self.until_due()).await;
        Some(self.take())
    }

    async fn until_due(&self) {
        loop {
            {
                let state = self.lock();
                if state.spans.len() >= self.limits.batch || state.flushing || state.closed.is_some() {
                    return;
                }
            }
            self.work.notified().await;
        }
    }

    pub(super) fn take(&self) -> Vec<SpanData> {
        let mut state = self.lock();
        state.busy = true;
        let count = state.spans.len().min(self.limits.batch);
        let batch = state.spans.drain(..count).map(Waiting::leave).collect();
        // Frees the memory that a burst has needed.
        if state.spans.len() < self.limits.batch && state.spans.capacity() > 4 * self.limits.batch {
            state.spans.shrink_to(self.limits.batch);
        }
        batch
    }

    /// Completes when the timeout of a batch, or that of the shutdown, has passed.
    pub(super) async fn out_of_time(&self) {
        let closed = async {
            let closed = loop {
                if let Some(closed) = self.lock().closed {
                    break closed;
                }
                self.work.notified().await;
            };
            tokio::time::sleep_until(closed.into()).await;
        };
        if self.limits.timeout.is_zero() {
            return closed.await;
        }
        let _ = tokio::time::timeout(self.limits.timeout, closed).await;
    }

    /// Whether a failed batch may be retried before the rest is sent: not while traces are shed, and not after shutdown
    /// began.
    pub(super) fn can_wait(&self) -> bool {
        let state = self.lock();
        state.closed.is_none() && !state.shedding.is_under_way()
    }

    /// Drops the rest and counts it as lost if the time of the shutdown is over.
    pub(super) fn drop_if_past_deadline(&self) {
        let mut state = self.lock();
        if state.closed.is_some_and(|closed| Instant::now() >= closed) {
            self.counts.lose("timeout", state.spans.len() as u64);
            state.spans = VecDeque::new();
        }
    }

    /// Waits until everything is sent, `patience` at most.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let mut state = self.lock();
        state.flushing = true;
        self.work.notify_one();
        self.settle(state, patience)
    }

    /// Takes no more spans, and waits until the rest is sent, `patience` at most.
    pub(super) fn close(&self, patience: Duration) -> bool {
        let mut state = self.lock();
        if state.closed.is_none() {
            state.closed = Some(Instant::now() + patience);
            self.work.notify_one();
        }
        // The thread gives up by itself at the deadline. It gets a moment more to report what is lost.
        self.settle(state, patience + Duration::from_millis(200))
    }

    fn settle(&self, state: MutexGuard<'_, State>, patience: Duration) -> bool {
        let waited = self.settled.wait_timeout_while(state, patience, |state| !state.is_settled());
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}
