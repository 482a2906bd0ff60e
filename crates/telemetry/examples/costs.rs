//! Repeats one operation `TIMES` times and exits: `span` makes a trace of ten spans, `request` serves an HTTP request
//! and `call` a gRPC call without a network, and `line` writes a log line. `cargo xtask costs` counts the instructions.
//! The standard `OTEL_*` variables decide whether spans are recorded and where they are exported to.

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use telemetry::{Config, Task, grpc};
use tonic::body::Body;
use tower::{Layer, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let what = std::env::args().nth(1).ok_or("say what to do")?;
    let times: u64 = std::env::var("TIMES")?.parse()?;
    let telemetry = telemetry::init(&Config::new("costs"), env!("CARGO_PKG_VERSION"))?;
    for time in 0..times {
        match &*what {
            "span" => Task::internal("outer").spawn(trace()).await?,
            "request" => request().await?,
            "call" => call().await?,
            "line" => telemetry::info!(time, channel = "sms", "a thing has happened"),
            _ => return Err("it is span, request, call or line".into()),
        }
    }
    telemetry.shutdown(Duration::from_mins(1)).await;
    Ok(())
}

async fn trace() {
    for attempt in 0..9_i64 {
        let inner = Task::internal("inner").attribute("app.attempt", attempt).attribute("app.channel", "sms");
        // The task cannot panic, so its result is ignored.
        let _ = inner.spawn(async {}).await;
    }
}

async fn request() -> Result<(), Box<dyn std::error::Error>> {
    let answer =
        service_fn(async |_: Request<axum::body::Body>| Ok::<_, Infallible>(Response::new(axum::body::Body::empty())));
    let layer = telemetry::http::ServerLayer::new(&[]);
    let request = Request::post("/v1/orders").header("host", "shop.example").body(axum::body::Body::empty())?;
    layer.layer(answer).oneshot(request).await?;
    Ok(())
}

async fn call() -> Result<(), Box<dyn std::error::Error>> {
    let answer = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
    let request = Request::post("/shop.v1.Orders/Place").body(Body::empty())?;
    grpc::ServerLayer::new(&[]).layer(answer).oneshot(request).await?;
    Ok(())
}
