use opentelemetry::KeyValue;
use opentelemetry_sdk::trace::SpanData;

use super::{Recorder, WORDS, assert_failed, report_panics};
use crate::Task;

fn assert_one_bare_exception(span: &SpanData) {
    assert_failed(span, "panic");
    assert_eq!(span.events.len(), 1, "{:?}", span.events);
    assert_eq!(span.events[0].name, "exception");
    assert_eq!(span.events[0].attributes, [KeyValue::new("exception.type", "panic")]);
}

#[tokio::test]
async fn a_panic_in_a_task_is_an_exception_without_its_text() {
    report_panics();
    let mut recorder = Recorder::start();
    let task = Task::internal("send sms").spawn(async { panic!("{WORDS}") });
    assert!(task.await.unwrap_err().is_panic());

    let span = recorder.only().await;
    assert_one_bare_exception(&span);
    recorder.assert_discreet();
    let line = recorder.lines().remove(0);
    assert_eq!((&line["level"], &line["message"]), (&"ERROR".into(), &"panic".into()));
    assert_eq!(line["span_id"], span.span_context.span_id().to_string());
    assert!(line["place"].as_str().unwrap().contains("panic.rs:"), "{line:?}");
}

#[test]
fn a_panic_in_blocking_work_is_one_too() {
    report_panics();
    let mut recorder = Recorder::start();
    let span = Recorder::runtime().block_on(async {
        let task = Task::internal("verify pin").spawn_blocking(|| panic!("{WORDS}"));
        assert!(task.await.unwrap_err().is_panic());
        recorder.only().await
    });
    assert_one_bare_exception(&span);
    recorder.assert_discreet();
}
