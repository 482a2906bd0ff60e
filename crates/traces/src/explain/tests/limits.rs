//! Large traces, and traces that no instrumentation would write.

use proptest::prelude::*;
use serde_json::json;

use super::by_hand::{span, trace};
use crate::explain::explain;
use crate::{Kind, Span, Status, Trace};

/// A trace with `count` spans, both wide and deep.
fn large(count: usize) -> Trace {
    let spans = (0..count).map(|at| {
        let parent = if at % 2 == 0 { at } else { 1.min(at) };
        let attributes = json!({"db.system.name": "postgresql"});
        span(parent, "shop", Kind::Client, "SELECT cart", (at as u64, count as u64), attributes)
            .failed("context deadline exceeded")
    });
    trace(spans.collect())
}

#[test]
fn time_grows_as_the_trace_does() {
    let trace = large(50_000);
    let start = std::time::Instant::now();
    let told = explain(&trace);
    assert!(told.cause.is_failure());
    // Quadratic time would take minutes. This takes a second without optimisation.
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

#[test]
#[ignore = "a figure of a release build: cargo test --release -p traces -- --ignored --nocapture ten_thousand"]
fn ten_thousand_spans_take_less_than_a_tenth_of_a_second() {
    let trace = large(10_000);
    let start = std::time::Instant::now();
    explain(&trace);
    println!("10,000 spans: {:?}", start.elapsed());
    assert!(start.elapsed().as_millis() < 100, "{:?}", start.elapsed());
}

proptest! {
    #[test]
    fn no_trace_makes_it_panic_or_hang(spans in prop::collection::vec(
        (0_usize..30, 0_usize..5, any::<u64>(), any::<u64>(), 0_u16..700, any::<bool>(), 0_usize..4), 0..30)) {
        let spans = spans.into_iter().map(|(parent, kind, start, end, status, error, service)| {
            let attributes = json!({"http.response.status_code": status, "db.system": (status % 3 == 0).then_some("x")});
            let span = span(parent, ["a", "b", "c", "d"][service], Kind::ALL[kind], "x", (0, 0), attributes);
            let status = if error { Status::Error("timeout".to_owned()) } else { Status::Unset };
            Span { status, start, end, ..span }
        });
        let told = explain(&trace(spans.collect()));
        prop_assert!(told.verdict.ends_with('.') && told.to_string().lines().count() > 1);
        prop_assert!(told.to_json().is_object());
    }
}
