use std::future::pending;
use std::time::SystemTime;

use http::HeaderMap;
use opentelemetry::trace::{SpanId, SpanKind};

use super::{Recorder, assert_child, assert_failed, assert_not_failed, named, text};
use crate::telemetry::here;
use crate::trace_state;
use crate::{Boundary, Message, Task, TraceContext, checked, unsampled};

fn message() -> Message {
    Message { system: "test", destination: "queue", id: "7".to_owned() }
}

#[tokio::test]
async fn a_spawned_task_is_a_child_of_where_it_was_spawned() {
    let mut recorder = Recorder::start();
    let outer = Task::internal("outer")
        .spawn(async { Task::send("inner", message()).attribute("test.attempt", 2_i64).spawn(async { 7 }).await });
    assert_eq!(outer.await.unwrap().unwrap(), 7);

    let spans = recorder.ended(2).await;
    let (outer, inner) = (named(&spans, "outer"), named(&spans, "inner"));
    assert_child(inner, outer);
    assert_eq!((&outer.span_kind, &inner.span_kind), (&SpanKind::Internal, &SpanKind::Producer));
    assert_eq!(text(inner, "test.attempt"), "2");
    assert_not_failed(inner);
}

#[test]
fn blocking_work_is_a_child_of_where_it_was_spawned() {
    let mut recorder = Recorder::start();
    let spans = Recorder::runtime().block_on(async {
        let work = || checked("in it", "test.rule.id", |rule: &&str| rule, Vec::new).len();
        let outer =
            Task::internal("outer").spawn(async move { Task::process("inner", message()).spawn_blocking(work).await });
        assert_eq!(outer.await.unwrap().unwrap(), 0);
        recorder.ended(3).await
    });

    assert_child(named(&spans, "in it"), named(&spans, "inner"));
    assert_child(named(&spans, "inner"), named(&spans, "outer"));
    assert_eq!(named(&spans, "inner").span_kind, SpanKind::Consumer);
    assert_not_failed(named(&spans, "inner"));
}

#[tokio::test]
async fn a_stored_context_keeps_the_probability_its_trace_was_kept_with() {
    let mut recorder = Recorder::start();
    let stored = Task::internal("first").run(async { TraceContext::current() }).await;
    assert_eq!(stored.trace_state(), "ot=th:0");
    let read = TraceContext::parse(&stored.to_string(), &stored.trace_state()).unwrap();
    Task::internal("late").parent(read).run(async {}).await;
    for span in recorder.ended(2).await {
        assert_eq!(trace_state::text(&span.span_context), "ot=th:0", "{span:?}");
    }
}

#[tokio::test]
async fn a_task_joins_a_context_that_was_stored_as_text() {
    let mut recorder = Recorder::start();
    let stored = Task::internal("first").spawn(async { TraceContext::current().to_string() }).await.unwrap();
    let late = Task::internal("sweep")
        .spawn(async move { Task::internal("late").parent(stored.parse().unwrap()).spawn(async {}).await });
    late.await.unwrap().unwrap();

    let spans = recorder.ended(3).await;
    assert_child(named(&spans, "late"), named(&spans, "first"));
    assert_ne!(named(&spans, "sweep").span_context.trace_id(), named(&spans, "first").span_context.trace_id());
}

#[tokio::test]
async fn a_linked_task_is_the_root_of_a_trace_of_its_own_that_points_to_where_it_comes_from() {
    let mut recorder = Recorder::start();
    let stored = Task::internal("first").spawn(async { TraceContext::current() }).await.unwrap();
    let late = Task::internal("sweep").spawn(async move {
        let work = async { Task::internal("within").spawn(async {}).await };
        Task::internal("late").root().link(stored).spawn(work).await
    });
    late.await.unwrap().unwrap().unwrap();

    let spans = recorder.ended(4).await;
    let (late, first) = (named(&spans, "late"), named(&spans, "first"));
    assert_eq!(late.parent_span_id, SpanId::INVALID);
    for other in ["first", "sweep"] {
        assert_ne!(late.span_context.trace_id(), named(&spans, other).span_context.trace_id());
    }
    let links: Vec<_> = late.links.iter().map(|link| &link.span_context).collect();
    assert_eq!(links.len(), 1);
    assert_eq!(
        (links[0].trace_id(), links[0].span_id()),
        (first.span_context.trace_id(), first.span_context.span_id())
    );
    assert_child(named(&spans, "within"), late);
}

struct Taken(bool);

impl Taken {
    fn class(&self) -> &'static str {
        if self.0 { "delivered" } else { "rejected" }
    }
}

#[tokio::test]
async fn a_classified_task_shows_the_class_of_its_result() {
    let mut recorder = Recorder::start();
    let taken =
        Task::internal("send").spawn_classified("test.outcome", Taken::class, async { Taken(false) }).await.unwrap();
    assert!(!taken.0);

    let span = recorder.only().await;
    assert_eq!(text(&span, "test.outcome"), "rejected");
    assert_not_failed(&span);
}

#[tokio::test]
async fn a_task_that_is_aborted_ends_at_the_abort_as_cancelled() {
    let mut recorder = Recorder::start();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let task = Task::internal("stuck").spawn(async move {
        let _ = begun.send(());
        pending::<()>().await;
    });
    begins.await.unwrap();
    let aborted = SystemTime::now();
    task.abort();

    let span = recorder.only().await;
    assert_failed(&span, "cancelled");
    assert!(span.end_time >= aborted);
}

#[tokio::test]
async fn below_unsampled_nothing_is_kept_and_the_flag_that_travels_on_is_00() {
    let recorder = Recorder::start();
    let (context, headers) = unsampled(async {
        let task = Task::internal("child").spawn(async {
            let (telemetry, context) = here();
            let mut headers = HeaderMap::new();
            telemetry.0.inject(Boundary::Mesh, &context, &mut headers);
            crate::info!("still has ids");
            headers
        });
        (TraceContext::current(), task.await.unwrap())
    })
    .await;

    assert!(recorder.spans().is_empty());
    let traceparent = headers["traceparent"].to_str().unwrap();
    assert!(traceparent.starts_with(&format!("00-{}-", context.trace_id())), "{traceparent}");
    assert!(traceparent.ends_with("-00"), "{traceparent}");
    let line = recorder.lines().remove(0);
    assert_eq!(line["trace_id"], context.trace_id().to_string());
    assert_eq!(line["sampled"], false);
}

#[tokio::test]
async fn work_for_somebody_else_leaves_the_unsampled_trace() {
    let mut recorder = Recorder::start();
    let kept: TraceContext = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
    unsampled(async { Task::internal("deliver").parent(kept).spawn(async {}).await.unwrap() }).await;
    assert_eq!(recorder.only().await.span_context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
}
