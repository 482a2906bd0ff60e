//! Spans of `tracing` and spans of instruments, one inside the other.

use opentelemetry::trace::SpanKind;
use tracing::instrument;

use super::{Recorder, assert_child, named};
use crate::{Task, step};

#[instrument]
async fn own_function() {
    step("inner", async {}).await;
}

#[instrument]
async fn spawning_function() {
    Task::internal("spawned").spawn(own_function()).await.unwrap();
}

#[tokio::test]
async fn an_applications_own_span_is_between_the_instruments_spans_around_it_and_in_it() {
    let mut recorder = Recorder::start();
    step("outer", own_function()).await;
    let spans = recorder.ended(3).await;
    assert_child(named(&spans, "own_function"), named(&spans, "outer"));
    assert_child(named(&spans, "inner"), named(&spans, "own_function"));
}

#[tokio::test]
async fn an_applications_own_span_reaches_across_a_spawned_task() {
    let mut recorder = Recorder::start();
    spawning_function().await;
    let spans = recorder.ended(4).await;
    assert_child(named(&spans, "spawned"), named(&spans, "spawning_function"));
    assert_child(named(&spans, "own_function"), named(&spans, "spawned"));
    assert_child(named(&spans, "inner"), named(&spans, "own_function"));
}

#[tokio::test]
async fn an_instruments_span_does_not_wait_for_what_it_has_spawned() {
    let mut recorder = Recorder::start();
    let (go, gone) = tokio::sync::oneshot::channel::<()>();
    let late = async { gone.await.unwrap() };
    let mut task = None;
    step("answering", async { task = Some(Task::internal("late").spawn(late)) }).await;
    assert_eq!(recorder.only().await.name, "answering");
    go.send(()).unwrap();
    task.unwrap().await.unwrap();
    let spans = recorder.ended(2).await;
    assert_child(named(&spans, "late"), named(&spans, "answering"));
}

#[tokio::test]
async fn of_the_applications_spans_only_those_that_are_wanted_join_the_trace() {
    let mut recorder = Recorder::start();
    step("ours", async {
        tracing::debug_span!("too detailed").in_scope(|| ());
        tracing::info_span!("wanted").in_scope(|| ());
    })
    .await;
    let spans = recorder.ended(2).await;
    assert_child(named(&spans, "wanted"), named(&spans, "ours"));
    assert_eq!(named(&spans, "wanted").span_kind, SpanKind::Internal);
}
