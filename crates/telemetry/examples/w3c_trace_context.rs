//! The service that the W3C's test suite for Trace Context checks: it calls every URL that the suite sends it.
//!
//! `cargo xtask w3c-trace-context` starts it and runs the suite.

use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use telemetry::Config;
use telemetry::http::{Client, ServerLayer};
use tokio::net::TcpListener;

/// A URL to call and the body to send.
#[derive(Deserialize)]
struct Call {
    url: String,
    arguments: Value,
}

async fn test(State(client): State<Client>, Json(calls): Json<Vec<Call>>) -> StatusCode {
    for call in calls {
        let Ok(url) = call.url.parse() else { return StatusCode::BAD_REQUEST };
        let request = client.post(url, "/{name}").with(|request| request.json(&call.arguments));
        if request.send().await.is_err() {
            return StatusCode::BAD_GATEWAY;
        }
    }
    StatusCode::OK
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = telemetry::init(&Config::new("w3c-trace-context"), env!("CARGO_PKG_VERSION"))?;
    // The suite counts as a service of the mesh: its trace is continued, and our context is sent to it.
    let client = Client::new(Duration::from_secs(5))?.in_mesh();
    let app = Router::new().route("/test", post(test)).with_state(client).layer(ServerLayer::new(&[]).in_mesh());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    telemetry::info!(address = %listener.local_addr()?, "listening");
    axum::serve(listener, app).await?;
    telemetry.shutdown(Duration::from_secs(5)).await;
    Ok(())
}
