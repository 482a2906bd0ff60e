//! Makes a number of spans, ten to a trace, and ends. `cargo xtask span-cost` counts its instructions; the standard
//! variables say whether the spans are recorded and where they go.

use std::time::Duration;

use telemetry::{Config, Task};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let traces: u64 = std::env::args().nth(1).ok_or("give a number of traces")?.parse()?;
    let telemetry = telemetry::init(&Config::new("span-cost"), env!("CARGO_PKG_VERSION"))?;
    for _ in 0..traces {
        Task::internal("outer").spawn(trace()).await?;
    }
    telemetry.shutdown(Duration::from_mins(1)).await;
    Ok(())
}

async fn trace() {
    for attempt in 0..9_i64 {
        let inner = Task::internal("inner").attribute("app.attempt", attempt).attribute("app.channel", "sms");
        // Nobody here panics.
        let _ = inner.spawn(async {}).await;
    }
}
