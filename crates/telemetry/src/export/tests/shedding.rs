use std::collections::{BTreeMap, HashMap, HashSet};

use opentelemetry::trace::{SpanContext, Status, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::SpanData;
use proptest::prelude::*;

use super::ended;
use crate::config::Queue as Limits;
use crate::export::queue::Queue;
use crate::propagation::parse;
use crate::trace_state::{self, Threshold};

fn queue(size: usize) -> Queue {
    Queue::new(Limits { size, batch: size, ..Limits::default() })
}

/// A trace id with pseudo-random bits: spread like random ones, but the same in every run.
fn trace(number: u64) -> TraceId {
    let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    TraceId::from(u128::from(number ^ number >> 31) | 1 << 100)
}

fn span(trace_id: TraceId, state: &str, status: Status) -> SpanData {
    let place = parse(&format!("00-{trace_id}-00000000000000aa-03"), state);
    let span_context =
        place.unwrap_or(SpanContext::new(trace_id, 1.into(), TraceFlags::SAMPLED, false, TraceState::NONE));
    ended(span_context, status)
}

fn kept(queue: &Queue) -> HashMap<TraceId, usize> {
    queue.take().iter().fold(HashMap::new(), |mut kept, span| {
        *kept.entry(span.span_context.trace_id()).or_default() += 1;
        kept
    })
}

fn traces(queue: &Queue) -> HashSet<TraceId> {
    kept(queue).into_keys().collect()
}

#[test]
fn what_is_kept_is_kept_whole_and_what_is_shed_is_counted() {
    let queue = queue(100);
    for _ in 0..3 {
        for number in 0..200 {
            queue.push(span(trace(number), "", Status::Unset), false);
        }
    }
    let kept = kept(&queue);
    assert!((1..30).contains(&kept.len()), "{kept:?}");
    // A trace that is kept at the end was kept from the beginning.
    assert!(kept.values().all(|spans| *spans == 3), "{kept:?}");
    assert_eq!(queue.counts.lost(), BTreeMap::from([("shed", 600 - 3 * kept.len() as u64)]));
}

#[test]
fn services_under_pressure_keep_the_same_traces_and_those_under_less_keep_them_too() {
    let pressed = |size| {
        let queue = queue(size);
        for number in 0..2_000 {
            queue.push(span(trace(number), "", Status::Unset), false);
        }
        traces(&queue)
    };
    let (narrow, same, wide) = (pressed(100), pressed(100), pressed(1_000));
    assert_eq!(narrow, same);
    assert!(narrow.len() < wide.len() && narrow.is_subset(&wide));
}

#[test]
fn what_is_left_tells_how_much_there_was() {
    const SPANS: u32 = 50_000;
    let queue = queue(4_096);
    let mut counted = 0.0;
    for number in 0..SPANS {
        queue.push(span(trace(number.into()), "ot=th:0", Status::Unset), false);
        if number % 7_000 == 0 || number == SPANS - 1 {
            for span in queue.take() {
                let state = trace_state::text(&span.span_context);
                let threshold = Threshold::parse(state.strip_prefix("ot=th:").unwrap()).unwrap();
                counted += threshold.adjusted_count();
            }
        }
    }
    assert!(queue.counts.lost()["shed"] > 10_000, "{:?}", queue.counts.lost());
    // The traces are the same in every run, and so is the deviation.
    assert!((counted - f64::from(SPANS)).abs() < 0.05 * f64::from(SPANS), "{counted}");
}

#[test]
fn a_probability_that_is_unknown_or_lower_stays_as_it_is() {
    let queue = queue(8);
    let high = TraceId::from(u128::MAX);
    for state in ["", "a=1", "ot=th:ff", "ot=th:0"] {
        queue.push(span(high, state, Status::Unset), false);
    }
    for number in 0..100 {
        queue.push(span(TraceId::from(1 << 100 | number), "", Status::Unset), false);
    }
    let states: Vec<_> = queue.take().iter().map(|span| trace_state::text(&span.span_context)).collect();
    assert_eq!(states, ["", "a=1", "ot=th:ff", "ot=th:8"]);
}

#[test]
fn traces_of_failures_go_last() {
    let queue = queue(100);
    let failed = |number: u64| number.is_multiple_of(20);
    for number in 0..400 {
        let status = if failed(number) { Status::error("") } else { Status::Unset };
        queue.push(span(trace(number), "ot=th:0", status), false);
        queue.push(span(trace(number), "ot=th:0", Status::Unset), false);
    }
    queue.push(span(trace(1_000), "", Status::Unset), true);
    let spans = queue.take();
    for number in (0..400).filter(|number| failed(*number)).chain([1_000]) {
        let of_trace = spans.iter().filter(|span| span.span_context.trace_id() == trace(number));
        let states: Vec<_> = of_trace.map(|span| trace_state::text(&span.span_context)).collect();
        let expected = if number == 1_000 { vec![""] } else { vec!["ot=th:0"; 2] };
        assert_eq!(states, expected, "none of them was in danger");
    }
}

#[test]
fn where_there_are_failures_only_the_queue_is_full_at_its_bound() {
    let queue = queue(100);
    for number in 0..500 {
        queue.push(span(trace(number), "", Status::error("")), false);
    }
    assert_eq!((queue.len(), queue.counts.lost()), (100, BTreeMap::from([("queue_full", 400)])));
}

proptest! {
    #[test]
    fn no_order_of_spans_takes_more_room_than_there_is_or_loses_count(
        size in 1_usize..40, spans in prop::collection::vec((0_u64..50, 0_u8..8, any::<bool>()), 0..400)
    ) {
        let queue = queue(size);
        let (pushed, mut taken) = (spans.len() as u64, 0);
        for (number, what, takes) in spans {
            let status = if what == 0 { Status::error("") } else { Status::Unset };
            queue.push(span(trace(number), "", status), what == 1);
            prop_assert!(queue.len() <= size);
            if takes && what == 7 {
                taken += queue.take().len() as u64;
            }
        }
        taken += queue.take().len() as u64;
        prop_assert_eq!(taken + queue.counts.lost().values().sum::<u64>(), pushed);
    }
}
