//! Decides for each request what part of its trace has arrived.

use std::collections::{BTreeSet, HashMap};
use std::iter;

use super::kills::{self, Kill};
use super::load::Sent;
use super::probability::keeps;
use super::receiver::Kept;
use super::results::{Caught, Row};
use super::{Failure, Route};
use crate::stack::Service;
use crate::trace::{Kind, Span, Status, Trace, Tree};

/// The traces that an ideal tail-sampling collector would keep: all those with a failed span, and this ratio of the
/// others.
pub(super) fn by_tail(ratio: f64, sent: &[Sent], arrived: &HashMap<String, Kept>) -> HashMap<String, Kept> {
    let kept = |sent: &Sent| {
        let kept = arrived.get(&sent.trace_id)?;
        let is_chosen = keeps(ratio, &sent.trace_id);
        let has_failed = kept.spans.iter().any(|span| span.status.is_error());
        let probability = is_chosen.then_some(ratio);
        let kept = Kept { probability, ..kept.clone() };
        (is_chosen || has_failed).then(|| (sent.trace_id.clone(), kept))
    };
    sent.iter().filter_map(kept).collect()
}

/// Counts requests in a row, and removes their traces from `arrived`.
pub(super) fn judge(row: &mut Row, sent: &[Sent], arrived: &mut HashMap<String, Kept>) {
    for sent in sent {
        let kept = arrived.remove(&sent.trace_id);
        let counted = row.routes.entry(sent.route).or_default();
        counted.sent += 1;
        let caught = sent.failure.map(|failure| row.failures.entry(failure).or_default());
        let Some(kept) = kept else {
            if let Some(caught) = caught {
                caught.sent += 1;
            }
            continue;
        };
        counted.kept += 1;
        if let Some(probability) = kept.probability {
            counted.chosen += 1;
            counted.estimate += 1.0 / probability;
        }
        if sent.route == Route::Submit {
            row.bytes += kept.bytes;
        }
        let trace = Trace::new(kept.spans);
        if let (Some(failure), Some(caught)) = (sent.failure, caught) {
            *caught = caught.and(catch(failure, &trace));
        } else if trace.errors().is_empty() {
            counted.good += 1;
            counted.whole += u64::from(is_whole(sent.route, &trace));
        } else {
            row.unplanned.push(unplanned(sent.route, &trace));
        }
    }
}

/// What failed in a trace in which nothing was to fail.
fn unplanned(route: Route, trace: &Trace) -> String {
    let failed = trace.spans.iter().filter_map(|span| match &span.status {
        Status::Error(message) => Some(format!("{} {}: {message}", span.service, span.name)),
        Status::Unset | Status::Ok => None,
    });
    format!("{}: {}", route.name(), failed.collect::<Vec<_>>().join(", "))
}

/// The number of answered failures whose path is incomplete although no kill explains that.
pub(super) fn unexplained(sent: &[Sent], arrived: &HashMap<String, Kept>, kills: &[Kill]) -> u64 {
    let lacks = |sent: &&Sent| {
        let Some(failure) = sent.failure.filter(|failure| failure.is_answered()) else { return false };
        let spans = arrived.get(&sent.trace_id).map(|kept| kept.spans.clone()).unwrap_or_default();
        let trace = Trace::new(spans);
        let caught = catch(failure, &trace);
        caught.complete == 0 && !kills::explain(failure, caught, &trace, &kills::met_by(sent, kills))
    };
    sent.iter().filter(lacks).count() as u64
}

/// Whether a trace without failures is one tree with spans of every service on its route.
fn is_whole(route: Route, trace: &Trace) -> bool {
    let expected = match route {
        Route::Submit => Service::ALL.to_vec(),
        Route::Reports | Route::Assignments => vec![Service::Gateway, Service::UserSvc, Service::DataSvc],
    };
    let services: BTreeSet<&str> = trace.spans.iter().map(|span| &*span.service).collect();
    let tree = Tree::new(&trace.spans);
    tree.tops().len() == 1 && is_root(&tree, 0) && expected.iter().all(|service| services.contains(service.name()))
}

fn is_root(tree: &Tree<'_>, top: usize) -> bool {
    tree.spans()[tree.tops()[top]].parent_span_id.is_none()
}

/// Whether the failed spans of the culprit have arrived, and whether all spans above them have.
fn catch(failure: Failure, trace: &Trace) -> Caught {
    let tree = Tree::new(&trace.spans);
    let culprit = failure.culprit().name();
    let failed = (0..trace.spans.len()).filter(|at| {
        let span = &trace.spans[*at];
        span.service == culprit && span.status.is_error()
    });
    let failed: Vec<usize> = failed.collect();
    let is_found = !failed.is_empty();
    let upward = |at: usize| iter::once(at).chain(tree.ancestors(at)).map(|at| &trace.spans[at]);
    let is_root = |span: &Span| span.parent_span_id.is_none();
    let is_handed_on = |span: &Span| matches!(span.kind, Kind::Producer | Kind::Consumer);
    let complete = is_found && failed.iter().all(|at| upward(*at).any(is_root));
    let waited = is_found && failed.iter().all(|at| upward(*at).any(|span| is_root(span) || is_handed_on(span)));
    Caught {
        sent: 1,
        caught: u64::from(is_found),
        waited: u64::from(waited),
        complete: u64::from(complete),
        spans: trace.spans.len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn span(id: &str, parent: Option<&str>, service: Service, failed: bool) -> Span {
        Span {
            span_id: id.to_owned(),
            parent_span_id: parent.map(ToOwned::to_owned),
            service: service.name().to_owned(),
            status: if failed { Status::Error(String::new()) } else { Status::Unset },
            ..Span::default()
        }
    }

    const FAILURE: Failure = Failure::Answer(Service::DataSvc);

    fn caught(spans: Vec<Span>) -> (u64, u64) {
        let Caught { caught, complete, .. } = catch(FAILURE, &Trace::new(spans));
        (caught, complete)
    }

    #[test]
    fn a_failing_path_is_complete_only_up_to_the_root() {
        let root = || span("a", None, Service::Gateway, true);
        let middle = || span("b", Some("a"), Service::EproSvc, true);
        let failed = || span("c", Some("b"), Service::DataSvc, true);
        assert_eq!(caught(vec![root(), middle(), failed()]), (1, 1));
        assert_eq!(caught(vec![root(), failed()]), (1, 0), "the middle is missing");
        assert_eq!(caught(vec![middle(), failed()]), (1, 0), "the root is missing");
        assert_eq!(caught(vec![root(), middle()]), (0, 0), "the culprit is missing");
        let well = span("c", Some("b"), Service::DataSvc, false);
        assert_eq!(caught(vec![root(), middle(), well]), (0, 0), "the culprit's span does not say it");
    }

    #[test]
    fn a_path_that_was_handed_on_is_waited_for_up_to_there() {
        let handed_on = Span { kind: Kind::Producer, ..span("b", Some("a"), Service::EproSvc, true) };
        let failed = span("c", Some("b"), Service::NotifySvc, true);
        let found = catch(Failure::Hint, &Trace::new(vec![handed_on, failed]));
        assert_eq!((found.caught, found.waited, found.complete), (1, 1, 0));
    }

    #[test]
    fn a_trace_without_failure_is_whole_with_every_service_and_one_root() {
        let reads = [Service::Gateway, Service::UserSvc, Service::DataSvc];
        let spans = |parent: Option<&str>| {
            let below = reads.iter().zip(["a", "b", "c"]);
            below.map(|(service, id)| span(id, if id == "a" { None } else { parent }, *service, false)).collect()
        };
        assert!(is_whole(Route::Reports, &Trace::new(spans(Some("a")))));
        assert!(!is_whole(Route::Reports, &Trace::new(spans(Some("elsewhere")))));
        assert!(!is_whole(Route::Submit, &Trace::new(spans(Some("a")))), "two services are missing");
        assert!(!is_whole(Route::Reports, &Trace::default()));
    }

    #[test]
    fn a_collector_that_sees_all_keeps_what_fails_and_a_share_of_the_rest() {
        let time = UNIX_EPOCH..=UNIX_EPOCH;
        let sent = |id: &str| Sent { route: Route::Submit, failure: None, trace_id: id.to_owned(), time: time.clone() };
        let kept = |failed| Kept { spans: vec![span("a", None, Service::Gateway, failed)], ..Kept::default() };
        let (low, high, failed) = ("00000000000000000000000000000000", "ffffffffffffffffffffffffffffffff", "01");
        let arrived = [(low, kept(false)), (high, kept(false)), (failed, kept(true))];
        let arrived = arrived.into_iter().map(|(trace_id, kept)| (trace_id.to_owned(), kept)).collect();
        let found = by_tail(0.5, &[sent(low), sent(high), sent(failed)], &arrived);
        let probability = |trace_id: &str| found.get(trace_id).map(|kept| kept.probability);
        assert_eq!(probability(low), None);
        assert_eq!(probability(high), Some(Some(0.5)));
        assert_eq!(probability(failed), Some(None));
    }
}
