use super::{Recorder, WORDS};
use crate::{Task, checked};

#[tokio::test]
async fn a_line_is_one_json_object_with_the_ids_of_its_trace() {
    let mut recorder = Recorder::start();
    Task::internal("work")
        .spawn(async { crate::warn!(count = 3, ratio = 0.5, on = true, text = "two\nlines", "done: {}", 1) })
        .await
        .unwrap();

    let span = recorder.only().await;
    assert_eq!(recorder.text().lines().count(), 1);
    let line = recorder.lines().remove(0);
    assert_eq!(line["trace_id"], span.span_context.trace_id().to_string());
    assert_eq!(line["span_id"], span.span_context.span_id().to_string());
    assert_eq!(line["sampled"], true);
    assert_eq!((&line["level"], &line["message"]), (&"WARN".into(), &"done: 1".into()));
    assert_eq!(line["target"], module_path!());
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    let fields = (&line["count"], &line["ratio"], &line["on"], &line["text"]);
    assert_eq!(fields, (&3.into(), &0.5.into(), &true.into(), &"two\nlines".into()));
}

#[test]
fn a_line_outside_of_any_trace_has_no_ids() {
    let recorder = Recorder::start();
    crate::info!("listening");
    let line = recorder.lines().remove(0);
    assert!(!line.contains_key("trace_id") && !line.contains_key("span_id"), "{line:?}");
}

#[tokio::test]
async fn an_error_that_is_logged_does_not_touch_the_span() {
    let mut recorder = Recorder::start();
    let none: Vec<&str> = checked(
        "validate order",
        "test.rule.id",
        |rule: &&str| rule,
        || {
            crate::error!(error = "no", "it went wrong");
            Vec::new()
        },
    );
    assert!(none.is_empty());
    let span = recorder.only().await;
    super::assert_not_failed(&span);
    assert!(span.events.is_empty());
}

#[test]
fn libraries_that_see_the_wire_are_held_at_warnings_whatever_is_wanted() {
    let recorder = Recorder::logging("trace");
    tracing::info!(target: "h2", WORDS);
    tracing::info!(target: "sqlx::query", WORDS);
    tracing::debug!(target: "sqlx_postgres::connection", WORDS);
    tracing::trace!(target: "hyper_util::client", WORDS);
    tracing::debug!(target: "lettre::transport", WORDS);
    tracing::warn!(target: "tonic::transport", "connection lost");
    tracing::trace!(target: "shop::rules", "our own");

    recorder.assert_discreet();
    let targets: Vec<_> = recorder.lines().iter().map(|line| line["target"].clone()).collect();
    assert_eq!(targets, ["tonic::transport", "shop::rules"]);
}
