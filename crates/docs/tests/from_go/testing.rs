use telemetry::{Config, Task, Telemetry, step};

async fn place_order(_item: &str) {
    step("check stock", async {}).await;
    let told = Task::internal("tell the warehouse").spawn(async {});
    // Nobody aborts it.
    let _ = told.await;
}

// ANCHOR: test
#[tokio::test]
async fn the_warehouse_is_told_in_the_trace_of_the_order() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = Telemetry::recorded(&Config::new("shop"))?;
    telemetry.scope(step("order", place_order("tea"))).await;
    assert_eq!(recorder.tree(3).await?, "INTERNAL order\n  INTERNAL check stock\n  INTERNAL tell the warehouse\n");
    Ok(())
}
// ANCHOR_END: test
