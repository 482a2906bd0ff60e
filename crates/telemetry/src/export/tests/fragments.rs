use std::time::Duration;

use opentelemetry::trace::{SpanContext, SpanId, Status, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::SpanData;
use proptest::prelude::*;

use super::ended;
use crate::config::Errors;
use crate::export::fragments::{Fragments, Outcome};

/// Longer than any test.
const HOLD: Duration = Duration::from_hours(1);

fn fragments(hold: Duration, bytes: usize) -> Fragments {
    Fragments::new(&Errors { hold, bytes, ..Errors::default() })
}

fn span(trace: u128, status: Status) -> SpanData {
    let state = TraceState::from_key_value([("ot", "th:8"), ("a", "1")]).unwrap();
    let span_context = SpanContext::new(TraceId::from(trace), SpanId::from(7), TraceFlags::default(), false, state);
    ended(span_context, status)
}

/// A span that begins and ends.
fn work(fragments: &Fragments, trace: u128, status: Status) -> Outcome {
    fragments.begin(TraceId::from(trace));
    fragments.end(span(trace, status))
}

/// How many spans of one trace fit in so many bytes.
fn room_for(spans: usize) -> usize {
    let fragments = fragments(HOLD, usize::MAX);
    work(&fragments, 1, Status::Unset);
    fragments.held().1 * spans
}

#[test]
fn what_fails_takes_what_has_ended_before_along_and_what_ends_later() {
    let fragments = fragments(HOLD, room_for(100));
    let trace = TraceId::from(1);
    fragments.begin(trace);
    assert!(work(&fragments, 1, Status::Unset).exported.is_empty());
    assert!(work(&fragments, 2, Status::Unset).exported.is_empty());
    assert!(!fragments.is_kept(trace));
    let exported = work(&fragments, 1, Status::error("")).exported;
    assert_eq!(exported.len(), 2);
    for span in &exported {
        assert_eq!(span.span_context.trace_id(), trace);
        assert!(span.span_context.is_sampled());
        assert_eq!(span.span_context.trace_state().header(), "a=1", "nobody knows how many others it stands for");
    }
    assert!(fragments.is_kept(trace) && !fragments.is_kept(TraceId::from(2)));
    assert_eq!(fragments.end(span(1, Status::Unset)).exported.len(), 1);
    assert_eq!(work(&fragments, 1, Status::Unset).exported.len(), 1, "it begins once more while it is remembered");
}

#[test]
fn a_trace_that_is_kept_elsewhere_is_kept_here_as_far_as_it_is_here() {
    let fragments = fragments(HOLD, room_for(100));
    work(&fragments, 1, Status::Unset);
    assert_eq!(fragments.keep(TraceId::from(1)).len(), 1);
    assert!(fragments.keep(TraceId::from(1)).is_empty());
    assert!(fragments.keep(TraceId::from(2)).is_empty());
    assert!(!fragments.is_kept(TraceId::from(2)));
}

#[test]
fn what_has_ended_well_is_let_go_of_after_its_time_and_what_still_runs_is_not() {
    let fragments = fragments(Duration::ZERO, room_for(100));
    fragments.begin(TraceId::from(1));
    work(&fragments, 1, Status::Unset);
    work(&fragments, 2, Status::Unset);
    assert_eq!(fragments.held().0, 1);
    assert_eq!(fragments.end(span(1, Status::error(""))).exported.len(), 2);
    assert_eq!(fragments.held(), (0, 0));
}

#[test]
fn where_there_is_no_more_room_the_oldest_traces_make_some_and_are_counted() {
    let fragments = fragments(HOLD, room_for(3));
    for trace in [1, 1, 2] {
        assert_eq!(work(&fragments, trace, Status::Unset).displaced, 0);
    }
    assert_eq!(work(&fragments, 3, Status::Unset).displaced, 2);
    assert!(fragments.keep(TraceId::from(1)).is_empty());
    assert_eq!(fragments.keep(TraceId::from(2)).len() + fragments.keep(TraceId::from(3)).len(), 2);
}

proptest! {
    #[test]
    fn no_order_of_events_takes_more_than_there_is_room_for_or_loses_count(
        events in prop::collection::vec((0_u8..4, 0_u128..6), 0..200)
    ) {
        let limit = room_for(5);
        let fragments = fragments(HOLD, limit);
        let (mut ended, mut gone) = (0, 0);
        for (event, trace) in events {
            let outcome = match event {
                0 => { fragments.begin(TraceId::from(trace)); Outcome::default() }
                1 => Outcome { exported: fragments.keep(TraceId::from(trace)), displaced: 0 },
                2 => { ended += 1; fragments.end(span(trace, Status::error(""))) }
                _ => { ended += 1; work(&fragments, trace, Status::Unset) }
            };
            gone += outcome.exported.len() as u64 + outcome.displaced;
            prop_assert!(fragments.held().1 <= limit);
        }
        for trace in 0..6 {
            gone += fragments.keep(TraceId::from(trace)).len() as u64;
        }
        prop_assert_eq!((gone, fragments.held().1), (ended, 0));
    }
}
