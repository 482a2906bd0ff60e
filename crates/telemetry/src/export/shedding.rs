use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use opentelemetry::trace::{SpanContext, TraceId};

use crate::trace_state::{self, Threshold};

/// How often the share of traces that are kept is halved at most: down to one of 1,024.
const HALVINGS: u8 = 10;

/// The shortest time between a change of the share and its next doubling.
const EASE: Duration = Duration::from_secs(10);

/// How many failed traces are remembered.
const FAILED: usize = 1_024;

/// Chooses the traces that are shed when there is no room for all. Every process decides by the random bits of the
/// trace. So processes under the same pressure keep the same traces, and a process under less pressure keeps these and
/// more.
#[derive(Debug, Default)]
pub(super) struct Shedding {
    halvings: u8,
    /// When `halvings` last changed.
    changed: Option<Instant>,
    failed: HashSet<TraceId>,
    failed_order: VecDeque<TraceId>,
}

impl Shedding {
    /// Exempts a failed trace: it is kept as long as the queue has any room.
    pub(super) fn spare(&mut self, trace_id: TraceId) {
        if self.failed.insert(trace_id) {
            self.failed_order.push_back(trace_id);
        }
        if self.failed_order.len() > FAILED
            && let Some(oldest) = self.failed_order.pop_front()
        {
            self.failed.remove(&oldest);
        }
    }

    /// Whether anything is shed.
    pub(super) fn is_under_way(&self) -> bool {
        self.halvings > 0
    }

    /// Halves the share of traces that are kept; `false` if it cannot be halved further.
    pub(super) fn raise(&mut self) -> bool {
        if self.halvings == HALVINGS {
            return false;
        }
        self.halvings += 1;
        self.changed = Some(Instant::now());
        true
    }

    /// Doubles the share again, if the queue has room and the last change is long enough ago.
    pub(super) fn ease(&mut self, has_room: bool) {
        if self.halvings > 0 && has_room && self.changed.is_none_or(|changed| changed.elapsed() >= EASE) {
            self.halvings -= 1;
            self.changed = Some(Instant::now());
        }
    }

    /// `None` if the span is shed, else how often its probability was halved.
    pub(super) fn admit(&self, span: &SpanContext) -> Option<u8> {
        if self.halvings == 0 || self.failed.contains(&span.trace_id()) {
            return Some(0);
        }
        threshold(self.halvings).keeps(trace_state::randomness(span)).then_some(self.halvings)
    }
}

/// The context of a span that was kept while others were shed: a higher threshold says that it stands for them too.
/// `None` if it does not change.
pub(super) fn marked(span: &SpanContext, halvings: u8) -> Option<SpanContext> {
    if halvings == 0 { None } else { trace_state::raised(span, threshold(halvings)) }
}

fn threshold(halvings: u8) -> Threshold {
    Threshold::of_halvings(halvings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sheds_less_only_after_there_has_been_room_for_a_while() {
        let mut shedding = Shedding::default();
        assert!(shedding.raise() && shedding.raise());
        shedding.ease(true);
        assert_eq!(shedding.halvings, 2);
        shedding.changed = Instant::now().checked_sub(EASE);
        shedding.ease(false);
        assert_eq!(shedding.halvings, 2);
        shedding.ease(true);
        shedding.ease(true);
        assert_eq!(shedding.halvings, 1);
    }

    #[test]
    fn the_failures_that_are_remembered_have_a_bound() {
        let mut shedding = Shedding::default();
        for trace in 0..5_000_u128 {
            shedding.spare(TraceId::from(trace));
            shedding.spare(TraceId::from(trace));
        }
        assert_eq!((shedding.failed.len(), shedding.failed_order.len()), (FAILED, FAILED));
    }
}
