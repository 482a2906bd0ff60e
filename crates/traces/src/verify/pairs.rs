//! Which calls are answered by a service that makes spans: learnt from the traces themselves.

use std::collections::HashSet;

use crate::conventions::{self, Facts};
use crate::{Kind, Span, Trace, Tree};

/// Callees that were seen to answer.
#[derive(Debug)]
pub(super) struct Pairs<'t> {
    services: HashSet<&'t str>,
    /// The calls, as who calls what, that have a SERVER span below them somewhere.
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

    /// Whether a call should have a SERVER span below it: it went well, and whom it names, or the same call elsewhere,
    /// makes such spans.
    pub(super) fn is_answered(&self, call: &Span) -> bool {
        let facts = Facts::of(call);
        if call.kind != Kind::Client || facts.failed() || facts.is_database() {
            return false;
        }
        let named = conventions::peer_service(call).is_some_and(|peer| self.services.contains(peer));
        named || self.calls.contains(&(&*call.service, &*call.name))
    }
}
