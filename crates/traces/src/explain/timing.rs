//! The times of spans with clock skew corrected, and which spans are asynchronous.

use crate::conventions::{Class, Facts, same_clock};
use crate::{Kind, Tree};

/// A span may end this much later than its parent and still count as one that the parent waited for. This allows for
/// rounding, and for the time that it takes to end a span.
const MARGIN: i64 = 2_000_000;

/// Times in nanoseconds, by position.
#[derive(Debug)]
pub(super) struct Timing {
    pub(super) start: Vec<i64>,
    pub(super) end: Vec<i64>,
    /// Whether the answer did not wait for it.
    pub(super) detached: Vec<bool>,
    /// Whether it is the first such span on its branch: its own parent did not wait for it.
    pub(super) is_left_alone: Vec<bool>,
}

impl Timing {
    pub(super) fn new(tree: &Tree<'_>, facts: &[Facts<'_>]) -> Self {
        let spans = tree.spans();
        let nanos = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
        let start: Vec<i64> = spans.iter().map(|span| nanos(span.start)).collect();
        let end = spans.iter().zip(&start).map(|(span, start)| nanos(span.end).max(*start)).collect();
        let (detached, is_left_alone) = (vec![false; spans.len()], vec![false; spans.len()]);
        let mut timing = Self { start, end, detached, is_left_alone };
        let mut offsets = vec![0; spans.len()];
        for &at in tree.order() {
            let Some(parent) = tree.parent(at) else { continue };
            offsets[at] = offsets[parent];
            timing.shift(at, offsets[at]);
            if spans[at].kind == Kind::Server && !same_clock(&spans[at], &spans[parent]) {
                let more = timing.skew(at, parent, facts);
                timing.shift(at, more);
                offsets[at] = more.saturating_add(offsets[at]);
            }
            timing.is_left_alone[at] = timing.is_detached(tree, at, parent, facts);
            timing.detached[at] = timing.detached[parent] || timing.is_left_alone[at];
        }
        timing
    }

    fn shift(&mut self, at: usize, by: i64) {
        self.start[at] = self.start[at].saturating_add(by);
        self.end[at] = self.end[at].saturating_add(by);
    }

    /// The correction of a callee's clock. As in Jaeger, it moves the callee to the middle of its call if it fits in
    /// there, else to the call's start.
    fn skew(&self, at: usize, parent: usize, facts: &[Facts<'_>]) -> i64 {
        let early = self.start[parent].saturating_sub(self.start[at]);
        // When the caller gave up, the callee may not know that and run longer.
        if self.duration(at) > self.duration(parent) || gave_up(&facts[parent]) {
            return early.max(0);
        }
        if early <= 0 && self.end[at] <= self.end[parent] {
            return 0;
        }
        early.saturating_add((self.duration(parent) - self.duration(at)) / 2)
    }

    fn is_detached(&self, tree: &Tree<'_>, at: usize, parent: usize, facts: &[Facts<'_>]) -> bool {
        let (span, above) = (&tree.spans()[at], &tree.spans()[parent]);
        if span.follows || span.kind == Kind::Consumer || above.kind == Kind::Producer {
            return true;
        }
        let outlives = self.end[at] > self.end[parent].saturating_add(MARGIN);
        outlives && span.kind != Kind::Server && !gave_up(&facts[parent])
    }

    pub(super) fn duration(&self, at: usize) -> i64 {
        self.end[at].saturating_sub(self.start[at])
    }

    /// How long a span ran between two times.
    pub(super) fn within(&self, at: usize, from: i64, until: i64) -> i64 {
        self.end[at].min(until).saturating_sub(self.start[at].max(from)).max(0)
    }
}

fn gave_up(facts: &Facts<'_>) -> bool {
    matches!(facts.class, Some(Class::Deadline | Class::Cancelled))
}
