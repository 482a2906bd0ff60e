//! Follows a failure from what the caller saw to its origin, by failed spans and by time.

use std::collections::{HashMap, HashSet};

use super::case::Case;
use crate::conventions::Class;
use crate::{Kind, Status};

/// A failure and the way to its origin.
#[derive(Debug)]
pub(super) struct Focus {
    /// From the outermost failed span to the deepest one.
    pub(super) chain: Vec<usize>,
    /// If the deadline was exceeded: the deepest span that used most of the time.
    pub(super) sink: Option<Sink>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Sink {
    pub(super) at: usize,
    /// The time spent in it, in nanoseconds.
    pub(super) time: i64,
    /// Its share of the whole time.
    pub(super) share: f64,
    /// Whether the call that was cut off had only little of the time.
    pub(super) is_upstream: bool,
}

/// A child has most of its parent's time with at least this share, alone or together with siblings of the same name.
const MOST: f64 = 0.5;
/// In nanoseconds. A shorter failure is a rejection and not a timeout.
const LONG: i64 = 1_000_000_000;
/// A call that was cut off had little time if its share was less than this.
const LITTLE: f64 = 0.3;

impl Focus {
    /// Follows the failure of the span `top`.
    pub(super) fn on(case: &Case<'_>, top: usize) -> Self {
        let mut chain = vec![top];
        while let Some(next) = chain.last().and_then(|at| explaining(case, *at)) {
            chain.push(next);
        }
        let ran_out = chain.iter().any(|at| matches!(case.class(*at), Some(Class::Deadline | Class::Cancelled)))
            || chain.last().is_some_and(|at| gave_up_late(case, *at));
        let is_vague = chain.last().is_some_and(|at| {
            let class = case.class(*at);
            matches!(class, Some(Class::Deadline | Class::Cancelled | Class::Unknown) | None) || gave_up_late(case, *at)
        });
        let sink = if ran_out && is_vague { Some(sink(case, top, &chain)) } else { None };
        Self { chain, sink }
    }

    /// The span that used the time may itself have failed before the deadline. Follows that failure.
    pub(super) fn on_sink(&self, case: &Case<'_>) -> Option<Self> {
        let sink = self.sink.filter(|sink| !sink.is_upstream && sink.at != self.source() && case.bears(sink.at))?;
        let chain = vec![self.top(), sink.at];
        Some(Self { chain, sink: None })
    }

    /// The deepest span that used most of the time of a span without a failure.
    pub(super) fn on_time(case: &Case<'_>, top: usize) -> usize {
        sink(case, top, &[top]).at
    }

    /// Follows a refusal to the service that refused first.
    pub(super) fn on_refusal(case: &Case<'_>, top: usize) -> Self {
        let mut chain = vec![top];
        let refuses = |at: &usize| case.class(*at) == Some(Class::Refused) && is_error_or_answer(case, *at);
        while let Some(next) = chain.last().and_then(|at| case.waited(*at).filter(refuses).last()) {
            chain.push(next);
        }
        Self { chain, sink: None }
    }

    pub(super) fn top(&self) -> usize {
        self.chain[0]
    }

    /// The deepest failed span.
    pub(super) fn source(&self) -> usize {
        *self.chain.last().unwrap_or(&0)
    }
}

/// Whether a server reports that it cannot serve only after so long that it must have tried: probably its own deadline
/// was exceeded.
pub(super) fn gave_up_late(case: &Case<'_>, at: usize) -> bool {
    let is_unable = matches!(case.class(at), Some(Class::Unavailable));
    case.span(at).kind == Kind::Server && is_unable && case.timing.duration(at) >= LONG
}

fn is_error_or_answer(case: &Case<'_>, at: usize) -> bool {
    matches!(case.span(at).kind, Kind::Server | Kind::Client) || matches!(case.span(at).status, Status::Error(_))
}

/// The failed child that explains the failure of a span. Prefers one with the same class, a later one over an earlier
/// one, and a cancelled one only if there is no other.
fn explaining(case: &Case<'_>, at: usize) -> Option<usize> {
    let length = case.timing.duration(at).max(1);
    let score = |child: usize| {
        let class = case.class(child);
        let is_cause = if class == Some(Class::Cancelled) { 0.0 } else { 2.0 };
        let is_alike = if alike(case.class(at), class) { 1.0 } else { 0.0 };
        let place = fraction(case.timing.end[child].saturating_sub(case.timing.start[at]), length).clamp(0.0, 1.0);
        is_cause + is_alike + 1.5 * place
    };
    // A rollback does not count as going on.
    let goes_on = |child: &usize| !case.bears(*child) && !case.facts[*child].rolls_back();
    let last_start = case.waited(at).filter(goes_on).map(|child| case.timing.start[child]).max();
    let has_exception = case.facts[at].exception().is_some();
    let is_why = |child: &usize| {
        let end = case.timing.end[*child];
        // The parent went on after this failure, so the failure seems to be handled.
        let was_survived = last_start.is_some_and(|last| last >= end)
            || length >= LONG && case.timing.end[at].saturating_sub(end) > length / 2;
        !was_survived || !has_exception && !gave_up_late(case, at) && alike(case.class(at), case.class(*child))
    };
    case.failures_below(at).filter(is_why).max_by(|one, other| score(*one).total_cmp(&score(*other)))
}

/// Whether a failure of class `below` can look like `above` in the parent.
fn alike(above: Option<Class>, below: Option<Class>) -> bool {
    use Class::{
        Cancelled, Connect, Deadline, Exhausted, Internal, Lock, Panic, Pool, Statement, Unavailable, Unknown,
    };
    match above {
        Some(Unavailable) => matches!(below, Some(Deadline | Unavailable | Connect | Pool | Lock | Exhausted)),
        Some(Internal) => matches!(below, Some(Internal | Panic | Statement | Unknown)),
        Some(Deadline) => matches!(below, Some(Deadline | Cancelled)),
        _ => above == below,
    }
}

/// Goes down from `top`, at each step to the child that used most of the time.
fn sink(case: &Case<'_>, top: usize, chain: &[usize]) -> Sink {
    let (mut from, mut until) = (case.timing.start[top], case.timing.end[top]);
    let whole = until.saturating_sub(from).max(1);
    let mut at = top;
    while let Some(next) = longest(case, at, from, until, chain) {
        at = next;
        (from, until) = (from.max(case.timing.start[at]), until.min(case.timing.end[at]));
    }
    let time = until.saturating_sub(from).max(0);
    let above: HashSet<usize> = case.tree.ancestors(at).chain([at]).collect();
    // The call that was cut off is the outermost failed span that does not contain the sink. There is none if the sink
    // is below all of them.
    let cut = chain.iter().copied().find(|cut| !above.contains(cut));
    let had_little = cut.is_some_and(|cut| fraction(case.timing.duration(cut), whole) < LITTLE);
    // A retry is cut off because of the attempts before it, which have the same fault.
    let is_again = cut.is_some_and(|cut| {
        let before = above.iter().find(|before| case.tree.parent(**before) == case.tree.parent(cut));
        before.is_some_and(|before| case.bears(*before) && case.span(*before).name == case.span(cut).name)
    });
    Sink { at, time, share: fraction(time, whole), is_upstream: had_little && !is_again }
}

/// The child that used most of a span's time, alone or together with siblings of the same name.
fn longest(case: &Case<'_>, at: usize, from: i64, until: i64, chain: &[usize]) -> Option<usize> {
    let whole = until.saturating_sub(from).max(1);
    let time = |child: usize| case.timing.within(child, from, until);
    let depth = case.tree.depth(at) + 1 - chain.first().map_or(0, |top| case.tree.depth(*top));
    let failed = chain.get(depth).copied();
    // Prefers the failed child when two took equally long.
    let rank = |child: usize| time(child).saturating_add(if failed == Some(child) { time(child) / 20 } else { 0 });
    let best = case.waited(at).max_by_key(|child| rank(*child))?;
    if fraction(rank(best), whole) >= MOST {
        return Some(best);
    }
    let mut sums: HashMap<&str, (i64, usize)> = HashMap::new();
    for child in case.waited(at) {
        let (sum, longest) = sums.entry(&case.span(child).name).or_insert((0, child));
        *sum += time(child);
        if time(child) > time(*longest) {
            *longest = child;
        }
    }
    let (sum, longest) = sums.into_values().max()?;
    (fraction(sum, whole) >= MOST).then_some(longest)
}

pub(super) fn fraction(part: i64, whole: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than a few digits")]
    let share = part as f64 / whole.max(1) as f64;
    share
}
