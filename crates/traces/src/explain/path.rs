//! The critical path: which spans the time of the answer was spent in, and that of asynchronous work.

use std::collections::HashMap;

use super::case::Case;
use crate::Kind;
use crate::conventions::Role;

/// What a part of the time was spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spent {
    /// A service's own work.
    Own,
    /// Waiting for a dependency without spans: a database, a pool, a provider.
    Waiting,
    /// Between a caller and its callee: on the network and in queues.
    Network,
    /// Asynchronous: after the answer or beside it.
    Asynchronous,
}

impl Spent {
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own work",
            Self::Waiting => "waiting",
            Self::Network => "network",
            Self::Asynchronous => "asynchronous",
        }
    }
}

/// A span's part of the critical path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) at: usize,
    pub(super) spent: Spent,
    /// The start of its first part on the path, in nanoseconds from the beginning of the request.
    pub(super) start: i64,
    /// Its total time on the path, in nanoseconds.
    pub(super) time: i64,
}

/// The steps by start time. The sum of the synchronous ones is the duration of the answer.
pub(super) fn critical(case: &Case<'_>) -> Vec<Step> {
    let Some(top) = case.request.or_else(|| case.tree.tops().first().copied()) else { return Vec::new() };
    let mut path = Path { case, steps: HashMap::new() };
    path.walk(top, case.timing.start[top], case.timing.end[top], false);
    let is_apart = |at: &usize| {
        case.timing.detached[*at] && case.tree.parent(*at).is_some_and(|parent| !case.timing.detached[parent])
    };
    // For asynchronous work, the path of the part that ended last.
    if let Some(last) = case.tree.order().iter().copied().filter(is_apart).max_by_key(|at| case.timing.end[*at]) {
        path.walk(last, case.timing.start[last], case.timing.end[last], true);
    }
    let origin = case.timing.start[top];
    let mut steps: Vec<Step> = path.steps.into_values().filter(|step| step.time > 0).collect();
    for step in &mut steps {
        step.start = step.start.saturating_sub(origin);
    }
    steps.sort_by_key(|step| (step.spent == Spent::Asynchronous, step.start, step.at));
    steps
}

struct Path<'c, 't> {
    case: &'c Case<'t>,
    steps: HashMap<usize, Step>,
}

impl Path<'_, '_> {
    /// Goes through a span from its end to its start. The span waited for the child that ended last.
    fn walk(&mut self, top: usize, from: i64, until: i64, apart: bool) {
        let mut next = vec![(top, from, until)];
        while let Some((at, from, until)) = next.pop() {
            let timing = &self.case.timing;
            let mut children: Vec<usize> = self.case.waited(at).collect();
            children.sort_by_key(|child| std::cmp::Reverse(timing.end[*child]));
            let mut cursor = until;
            for child in children {
                let (start, end) = (timing.start[child].max(from), timing.end[child].min(cursor));
                if start < end {
                    self.add(at, end, cursor, apart);
                    next.push((child, start, end));
                    cursor = start;
                }
            }
            self.add(at, from, cursor, apart);
        }
    }

    fn add(&mut self, at: usize, from: i64, until: i64, apart: bool) {
        let spent = if apart { Spent::Asynchronous } else { self.spent(at) };
        let step = self.steps.entry(at).or_insert(Step { at, spent, start: from, time: 0 });
        step.start = step.start.min(from);
        step.time = step.time.saturating_add(until.saturating_sub(from).max(0));
    }

    fn spent(&self, at: usize) -> Spent {
        match (self.case.role(at), self.case.span(at).kind) {
            (Role::Pool | Role::Queue, _) => Spent::Waiting,
            (_, Kind::Client) if self.case.callee(at).is_some() => Spent::Network,
            (_, Kind::Client) | (Role::Database, _) => Spent::Waiting,
            _ => Spent::Own,
        }
    }
}
