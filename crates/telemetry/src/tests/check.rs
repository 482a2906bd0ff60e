use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;

use super::{Recorder, assert_not_failed};
use crate::checked;

struct TooHigh;

fn check(rules: impl FnOnce() -> Vec<TooHigh>) -> Vec<TooHigh> {
    checked("validate order", "test.rule.id", |TooHigh| "price.too-high", rules)
}

#[tokio::test]
async fn every_broken_rule_is_an_event_with_its_id_and_no_failure() {
    let mut recorder = Recorder::start();
    assert_eq!(check(|| vec![TooHigh, TooHigh]).len(), 2);

    let span = recorder.only().await;
    assert_eq!((&*span.name, &span.span_kind), ("validate order", &SpanKind::Internal));
    assert_not_failed(&span);
    assert_eq!(span.events.len(), 2);
    for event in span.events.iter() {
        assert_eq!(event.attributes, [KeyValue::new("test.rule.id", "price.too-high")]);
        assert!(event.timestamp <= span.end_time);
    }
}

#[tokio::test]
async fn a_check_that_nothing_breaks_has_no_event() {
    let mut recorder = Recorder::start();
    check(Vec::new);
    assert!(recorder.only().await.events.is_empty());
}
