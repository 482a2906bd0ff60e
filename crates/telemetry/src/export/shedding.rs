use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use opentelemetry::trace::{SpanContext, TraceId};

use crate::trace_state::{self, Threshold};

/// How often at most the share of traces that stay is halved: of 1,024 one stays.
const HALVINGS: u8 = 10;

/// How long there must be room before twice as many stay.
const EASE: Duration = Duration::from_secs(10);

/// Failed traces that are remembered.
const FAILED: usize = 1_024;

/// Which traces give way where there is no room for all. Every process goes by the random bits of the trace, so that those
/// under the same pressure keep the same traces, and one under less pressure keeps them too.
#[derive(Debug, Default)]
pub(super) struct Shedding {
    halvings: u8,
    /// When that was changed.
    changed: Option<Instant>,
    failed: HashSet<TraceId>,
    failed_order: VecDeque<TraceId>,
}

impl Shedding {
    /// The traces of failures stay as long as there is any room.
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

    /// Sheds more; `false` where nearly everything is shed.
    pub(super) fn raise(&mut self) -> bool {
        if self.halvings == HALVINGS {
            return false;
        }
        self.halvings += 1;
        self.changed = Some(Instant::now());
        true
    }

    /// Sheds less, where there has been room for long enough.
    pub(super) fn ease(&mut self, has_room: bool) {
        if self.halvings > 0 && has_room && self.changed.is_none_or(|changed| changed.elapsed() >= EASE) {
            self.halvings -= 1;
            self.changed = Some(Instant::now());
        }
    }

    /// Whether a span stays, and after how many halvings of its chance.
    pub(super) fn admit(&self, span: &SpanContext) -> Option<u8> {
        if self.halvings == 0 || self.failed.contains(&span.trace_id()) {
            return Some(0);
        }
        threshold(self.halvings).keeps(trace_state::randomness(span)).then_some(self.halvings)
    }
}

/// What a span says after it has stayed while others were shed: it stands for more.
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
