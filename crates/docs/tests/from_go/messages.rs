use std::sync::Mutex;

use anyhow::Context;
use telemetry::{InvalidTraceContext, Message, Task, TraceContext, step};

use super::recorded;

/// A row of a table that is a queue.
struct Row {
    id: String,
    order: u64,
    traceparent: String,
}

#[derive(Default)]
struct Outbox(Mutex<Vec<Row>>);

impl Outbox {
    async fn insert(&self, row: Row) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(row);
    }

    fn take(&self) -> Option<Row> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop()
    }
}

async fn send(_order: u64) {}

// ANCHOR: messages
fn message(id: &str) -> Message {
    Message { system: "postgresql", destination: "outbox", id: id.to_owned() }
}

async fn enqueue(outbox: &Outbox, id: String, order: u64) {
    let task = Task::create("create notification", message(&id));
    let insert = async {
        let traceparent = TraceContext::current().to_string();
        outbox.insert(Row { id, order, traceparent }).await;
    };
    task.run(insert).await;
}

async fn deliver(row: Row) -> Result<(), InvalidTraceContext> {
    let origin: TraceContext = row.traceparent.parse()?;
    let task = Task::process("deliver notification", message(&row.id));
    task.parent(origin).run(send(row.order)).await;
    Ok(())
}
// ANCHOR_END: messages

#[tokio::test]
async fn a_message_is_worked_on_in_the_trace_that_has_made_it() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = recorded()?;
    let outbox = Outbox::default();
    telemetry.scope(step("order", enqueue(&outbox, "m-1".to_owned(), 7))).await;
    assert_eq!(recorder.tree(2).await?, "INTERNAL order\n  PRODUCER create notification\n");
    let row = outbox.take().context("nothing was stored")?;
    telemetry.scope(deliver(row)).await?;
    let tree = recorder.tree(3).await?;
    assert_eq!(tree, "INTERNAL order\n  PRODUCER create notification\n    CONSUMER deliver notification\n");
    assert_eq!(recorder.attribute("deliver notification", "messaging.message.id").as_deref(), Some("m-1"));
    Ok(())
}

#[tokio::test]
async fn one_that_is_worked_on_late_can_have_a_trace_of_its_own() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = recorded()?;
    let origin = telemetry.scope(step("order", async { TraceContext::current() })).await;
    let late = telemetry.scope(async move {
        // ANCHOR: late
        let task = Task::process("deliver notification", message("m-1"));
        task.root().link(origin).run(send(7)).await;
        // ANCHOR_END: late
    });
    late.await;
    assert_eq!(recorder.tree(2).await?, "INTERNAL order\nCONSUMER deliver notification\n");
    Ok(())
}
