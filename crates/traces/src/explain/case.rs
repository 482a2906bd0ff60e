//! A trace with all the facts that the detectors use.

use std::collections::{HashMap, HashSet};

use super::timing::Timing;
use crate::conventions::{self, Class, Facts, Role};
use crate::{Kind, Span, Trace, Tree};

#[derive(Debug)]
pub(super) struct Case<'t> {
    pub(super) tree: Tree<'t>,
    pub(super) facts: Vec<Facts<'t>>,
    pub(super) timing: Timing,
    /// The request as the caller saw it: the first root, if there is one.
    pub(super) request: Option<usize>,
    pub(super) gaps: Gaps,
    /// Whether the span failed, or a span below it whose failure it does not report.
    bears: Vec<bool>,
    /// Whether a later attempt of the same work succeeded.
    recovered: Vec<bool>,
    /// Services with a SERVER span in this trace.
    answering: HashSet<&'t str>,
}

/// The visible gaps of a trace.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// Spans whose parent is missing.
    pub(super) orphans: Vec<usize>,
    /// Additional roots.
    pub(super) roots: Vec<usize>,
    /// Successful calls without a SERVER span, although the callee makes such spans.
    pub(super) unanswered: Vec<usize>,
}

impl Gaps {
    pub(super) fn is_whole(&self) -> bool {
        self.orphans.is_empty() && self.roots.is_empty() && self.unanswered.is_empty()
    }
}

impl<'t> Case<'t> {
    pub(super) fn new(trace: &'t Trace) -> Self {
        let tree = Tree::new(&trace.spans);
        let facts: Vec<_> = trace.spans.iter().map(Facts::of).collect();
        let timing = Timing::new(&tree, &facts);
        let is_root = |at: &&usize| trace.spans[**at].parent_span_id.is_none();
        let (roots, orphans): (Vec<usize>, Vec<usize>) = tree.tops().iter().partition(is_root);
        let request = roots.first().copied();
        let gaps = Gaps { orphans, roots: roots.into_iter().skip(1).collect(), unanswered: Vec::new() };
        let servers = trace.spans.iter().filter(|span| span.kind == Kind::Server);
        let answering = servers.map(|span| &*span.service).collect();
        let unknown = vec![false; trace.spans.len()];
        let (bears, recovered) = (unknown.clone(), unknown);
        let mut case = Self { tree, facts, timing, request, gaps, bears, recovered, answering };
        case.gaps.unanswered = (0..trace.spans.len()).filter(|at| case.should_be_answered(*at)).collect();
        case.carry_failures_up();
        case
    }

    fn carry_failures_up(&mut self) {
        for place in (0..self.tree.order().len()).rev() {
            let at = self.tree.order()[place];
            self.mark_recovered(at);
            let speaks = !matches!(self.span(at).kind, Kind::Internal | Kind::Consumer | Kind::Producer)
                || self.facts[at].is_error
                || self.span(at).status == crate::Status::Ok;
            let below = || self.failures_below(at).next().is_some();
            self.bears[at] = self.has_failed(at) || !speaks && below();
        }
    }

    /// Marks failed children if a later sibling of the same name succeeded.
    fn mark_recovered(&mut self, at: usize) {
        let children = self.tree.children(at);
        if !children.iter().any(|child| self.bears[*child]) {
            return;
        }
        let mut good: HashMap<&str, i64> = HashMap::new();
        for child in children.iter().filter(|child| !self.bears[**child]) {
            let latest = good.entry(&self.tree.spans()[*child].name).or_insert(i64::MIN);
            *latest = self.timing.start[*child].max(*latest);
        }
        for child in children {
            let again = good.get(&*self.tree.spans()[*child].name);
            let is_over = again.is_some_and(|again| *again >= self.timing.end[*child]);
            self.recovered[*child] = self.bears[*child] && is_over;
        }
    }

    /// Whether a successful call should have a SERVER span but has none.
    fn should_be_answered(&self, at: usize) -> bool {
        self.span(at).kind == Kind::Client
            && matches!(self.role(at), Role::Rpc | Role::Http)
            && self.class(at).is_none()
            && self.is_instrumented(at)
            && self.callee(at).is_none()
    }

    fn has_failed(&self, at: usize) -> bool {
        let refused = || {
            // Nothing waits for this call, so a refused message is lost.
            self.timing.detached[at]
                && self.facts[at].is_error
                && self.span(at).kind == Kind::Client
                && matches!(self.role(at), Role::Http | Role::Smtp)
        };
        self.class(at).is_some_and(|class| class != Class::Refused || refused())
    }

    pub(super) fn span(&self, at: usize) -> &'t Span {
        &self.tree.spans()[at]
    }

    pub(super) fn role(&self, at: usize) -> Role {
        self.facts[at].role
    }

    pub(super) fn class(&self, at: usize) -> Option<Class> {
        self.facts[at].class
    }

    pub(super) fn peer(&self, at: usize) -> Option<&'t str> {
        conventions::peer(self.span(at))
    }

    pub(super) fn bears(&self, at: usize) -> bool {
        self.bears[at]
    }

    /// Whether its callee makes spans, as other spans of this trace show.
    pub(super) fn is_instrumented(&self, at: usize) -> bool {
        conventions::peer_service(self.span(at)).is_some_and(|peer| self.answering.contains(peer))
    }

    /// Whether its time was spent in a dependency that makes no spans, so that none can be missing.
    pub(super) fn is_outside(&self, at: usize) -> bool {
        let is_known = self.request == Some(at) || self.peer(at).is_some_and(|peer| self.answering.contains(peer));
        let is_named = conventions::peer_service(self.span(at)).is_some();
        let is_foreign = !is_known && !is_named && self.callee(at).is_none();
        match self.role(at) {
            Role::Database | Role::Pool | Role::Smtp | Role::Queue => true,
            Role::Http => self.span(at).kind == Kind::Client && is_foreign,
            _ => false,
        }
    }

    /// The SERVER span of a call.
    pub(super) fn callee(&self, at: usize) -> Option<usize> {
        self.tree.children(at).iter().copied().find(|child| self.span(*child).kind == Kind::Server)
    }

    /// The call of a SERVER span.
    pub(super) fn caller(&self, at: usize) -> Option<usize> {
        self.tree.parent(at).filter(|parent| self.span(*parent).kind == Kind::Client)
    }

    /// The SERVER or CONSUMER span that this span belongs to.
    pub(super) fn served(&self, at: usize) -> usize {
        let is_entry = |at: &usize| matches!(self.span(*at).kind, Kind::Server | Kind::Consumer);
        let service = &self.span(at).service;
        let own = self.tree.ancestors(at).take_while(|above| self.span(*above).service == *service);
        std::iter::once(at).chain(own).find(is_entry).unwrap_or(at)
    }

    /// The children that a span waited for. All children if the span itself is asynchronous.
    pub(super) fn waited(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let apart = self.timing.detached[at];
        let children = self.tree.children(at).iter().copied();
        children.filter(move |child| apart || !self.timing.detached[*child])
    }

    /// The failed children among them without a successful later attempt.
    pub(super) fn failures_below(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        self.waited(at).filter(|child| self.bears[*child] && !self.recovered[*child])
    }

    /// Who is to blame if this span is guilty: its service, or its callee if that one makes no spans.
    pub(super) fn blamed(&self, at: usize) -> &'t str {
        let span = self.span(at);
        let is_foreign = span.kind == Kind::Client && !matches!(self.role(at), Role::Database | Role::Pool);
        let peer = if is_foreign && self.callee(at).is_none() { self.peer(at) } else { None };
        peer.unwrap_or(&span.service)
    }

    /// Whether the synchronous part has stored data. `None` if the trace shows no statements.
    pub(super) fn stored(&self) -> Option<bool> {
        let statements = || (0..self.facts.len()).filter(|at| self.facts[*at].is_database());
        statements().next()?;
        let begun: HashSet<usize> =
            statements().filter(|at| self.span(*at).name == "BEGIN").filter_map(|at| self.tree.parent(at)).collect();
        let lasts = |at: usize| {
            let is_commit = self.span(at).name.eq_ignore_ascii_case("commit");
            is_commit || self.tree.parent(at).is_none_or(|parent| !begun.contains(&parent))
        };
        Some(
            statements().any(|at| {
                !self.timing.detached[at] && self.class(at).is_none() && self.facts[at].writes() && lasts(at)
            }),
        )
    }
}
