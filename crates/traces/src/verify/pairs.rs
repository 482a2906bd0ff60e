//! Learns from the traces which calls go to services that make spans.

use std::collections::HashSet;

use crate::conventions::{self, Facts};
use crate::{Kind, Span, Trace, Tree};

/// Callees with SERVER spans.
#[derive(Debug)]
pub(super) struct Pairs<'t> {
    services: HashSet<&'t str>,
    /// Caller and name of the calls that have a SERVER span below them.
    calls: HashSet<(&'t str, &'t str)>,
}

impl<'t> Pairs<'t> {
    pub(super) fn learn(traces: &'t [Trace]) -> Self {
        let mut pairs = Self { services: HashSet::new(), calls: HashSet::new() };
        for trace in traces {
            let tree = Tree::new(&trace.spans);
            for (at, span) in trace.spans.iter().enumerate().filter(|(_, span)| span.kind == Kind::Server) {
                pairs.services.insert(&span.service);
                if let Some(call) = tree.parent(at).map(|parent| &tree.spans()[parent])
                    && call.kind == Kind::Client
                {
                    pairs.calls.insert((&call.service, &call.name));
                }
            }
        }
        pairs
    }

    /// Whether a call should have a SERVER span: it was successful, and its named callee, or the same call elsewhere,
    /// has such spans.
    pub(super) fn is_answered(&self, call: &Span) -> bool {
        let facts = Facts::of(call);
        if call.kind != Kind::Client || facts.failed() || facts.is_database() {
            return false;
        }
        let named = conventions::peer_service(call).is_some_and(|peer| self.services.contains(peer));
        named || self.calls.contains(&(&*call.service, &*call.name))
    }
}
