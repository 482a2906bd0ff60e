//! Parents and children, computed once for all spans.

use std::collections::HashMap;

use crate::Span;

/// The trees of a trace. Spans are referred to by position.
///
/// Every span is in exactly one tree. The top of a tree is a root, a span whose parent is missing, or, if parents form
/// a cycle, the earliest span of the cycle. Making it takes linear time.
#[derive(Debug)]
pub struct Tree<'t> {
    spans: &'t [Span],
    parents: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
    tops: Vec<usize>,
    order: Vec<usize>,
    depths: Vec<usize>,
}

impl<'t> Tree<'t> {
    /// `spans` are those of one trace.
    pub fn new(spans: &'t [Span]) -> Self {
        let by_id: HashMap<&str, usize> = spans.iter().enumerate().map(|(at, span)| (&*span.span_id, at)).collect();
        let parent = |span: &Span| by_id.get(span.parent_span_id.as_deref()?).copied();
        let parents: Vec<Option<usize>> = spans.iter().map(parent).collect();
        let mut children = vec![Vec::new(); spans.len()];
        for (at, parent) in parents.iter().enumerate() {
            if let Some(parent) = parent {
                children[*parent].push(at);
            }
        }
        let mut tops: Vec<usize> = (0..spans.len()).filter(|at| parents[*at].is_none()).collect();
        tops.sort_by_key(|at| spans[*at].parent_span_id.is_some());
        let order = Vec::with_capacity(spans.len());
        let mut tree = Self { spans, parents, children, tops, order, depths: vec![0; spans.len()] };
        tree.walk();
        tree
    }

    /// Puts the spans into drawing order, and breaks cycles.
    fn walk(&mut self) {
        let mut seen = vec![false; self.spans.len()];
        for top in self.tops.clone() {
            self.walk_from(top, &mut seen);
        }
        for at in 0..self.spans.len() {
            if !seen[at] {
                if let Some(parent) = self.parents[at].take() {
                    self.children[parent].retain(|child| *child != at);
                }
                self.tops.push(at);
                self.walk_from(at, &mut seen);
            }
        }
    }

    fn walk_from(&mut self, top: usize, seen: &mut [bool]) {
        let mut next = vec![(top, 0)];
        while let Some((at, depth)) = next.pop() {
            seen[at] = true;
            self.order.push(at);
            self.depths[at] = depth;
            next.extend(self.children[at].iter().rev().map(|child| (*child, depth + 1)));
        }
    }

    /// The spans that positions refer to.
    pub fn spans(&self) -> &'t [Span] {
        self.spans
    }

    /// The top of each tree: roots by start time, then orphans, then one span of each cycle.
    pub fn tops(&self) -> &[usize] {
        &self.tops
    }

    pub fn parent(&self, at: usize) -> Option<usize> {
        self.parents[at]
    }

    /// The children by start time.
    pub fn children(&self, at: usize) -> &[usize] {
        &self.children[at]
    }

    /// All spans, parents before children. In reverse order, children come before parents.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The number of ancestors.
    pub fn depth(&self, at: usize) -> usize {
        self.depths[at]
    }

    /// The span's ancestors, nearest first.
    pub fn ancestors(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.parents[at], |at| self.parents[*at])
    }

    /// The span and its descendants, parents before children.
    pub fn below(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let mut next = vec![at];
        std::iter::from_fn(move || {
            let at = next.pop()?;
            next.extend(self.children[at].iter().rev());
            Some(at)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Trace;

    fn trace(parents: &[Option<u8>]) -> Trace {
        let spans = parents.iter().enumerate().map(|(at, parent)| Span {
            span_id: at.to_string(),
            parent_span_id: parent.map(|parent| parent.to_string()),
            start: at as u64,
            ..Span::default()
        });
        Trace::new(spans.collect())
    }

    #[test]
    fn a_ring_of_parents_is_a_tree_that_begins_at_its_earliest_span() {
        let trace = trace(&[None, Some(3), Some(1), Some(2), Some(4)]);
        let tree = Tree::new(&trace.spans);
        assert_eq!(tree.tops(), [0, 1, 4]);
        assert_eq!(tree.below(1).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(tree.children(4), [0; 0]);
    }

    proptest! {
        #[test]
        fn every_span_is_in_one_tree_after_its_parent(parents in prop::collection::vec(prop::option::of(0_u8..40), 0..40)) {
            let trace = trace(&parents);
            let tree = Tree::new(&trace.spans);
            let mut order = tree.order().to_vec();
            let place = |at: usize| tree.order().iter().position(|other| *other == at);
            for at in 0..parents.len() {
                if let Some(parent) = tree.parent(at) {
                    prop_assert!(place(parent) < place(at) && tree.depth(at) == tree.depth(parent) + 1);
                } else {
                    prop_assert!(tree.tops().contains(&at));
                }
            }
            order.sort_unstable();
            prop_assert_eq!(order, (0..parents.len()).collect::<Vec<_>>());
        }
    }
}
