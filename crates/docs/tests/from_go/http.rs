use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::routing::get;
use telemetry::http::{Client, ServerLayer};
use telemetry::step;

use super::{ask, recorded, serve};

const STRANGER: &str = "0af7651916cd43dd8448eb211c80319c";

async fn show_order(Path(id): Path<u64>) -> String {
    format!("order {id}")
}

// ANCHOR: server
fn shop() -> Router {
    Router::new()
        .route("/livez", get(async || ()))
        .route("/orders/{id}", get(show_order))
        .layer(ServerLayer::new(&["/livez"]))
}
// ANCHOR_END: server

// ANCHOR: client
async fn is_in_stock(stock: &Client, base: &str, sku: &str) -> Result<bool, Box<dyn Error>> {
    let answer = stock.get(format!("{base}/stock/{sku}").parse()?, "/stock/{sku}").send().await?;
    Ok(answer.status().is_success())
}
// ANCHOR_END: client

#[tokio::test]
async fn a_request_is_a_span_named_by_its_route_in_a_trace_that_no_stranger_names() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = recorded()?;
    let address = serve(&telemetry, shop).await?;
    ask(format!("http://{address}/livez"), &[]).await?;
    let traceparent = format!("00-{STRANGER}-b7ad6b7169203331-01");
    let answer = ask(format!("http://{address}/orders/7"), &[("traceparent", &traceparent)]).await?;
    assert_eq!(recorder.tree(1).await?, "SERVER GET /orders/{id}\n");
    let traceresponse = answer.headers()["traceresponse"].to_str()?;
    assert!(!traceresponse.contains(STRANGER), "{traceresponse}");
    Ok(())
}

/// A warehouse that tells whether it was told of a trace.
fn warehouse() -> Router {
    let answer = async |headers: HeaderMap| headers.contains_key("traceparent").to_string();
    Router::new().route("/stock/{sku}", get(answer)).layer(ServerLayer::new(&[]).in_mesh())
}

#[tokio::test]
async fn a_call_to_a_service_of_ones_own_goes_on_there_in_the_same_trace() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = recorded()?;
    let address = serve(&telemetry, warehouse).await?;
    // ANCHOR: mesh
    let stock = Client::new(Duration::from_secs(2))?.in_mesh().peer("stock");
    // ANCHOR_END: mesh
    let base = format!("http://{address}");
    assert!(telemetry.scope(step("order", is_in_stock(&stock, &base, "tea"))).await.unwrap());
    assert_eq!(recorder.tree(3).await?, "INTERNAL order\n  CLIENT GET /stock/{sku}\n    SERVER GET /stock/{sku}\n");
    Ok(())
}

#[tokio::test]
async fn a_stranger_is_told_no_ids() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = recorded()?;
    let address = serve(&telemetry, warehouse).await?;
    let provider = Client::new(Duration::from_secs(2))?;
    let url = format!("http://{address}/stock/tea").parse()?;
    let asked = async { provider.get(url, "/stock/{sku}").send().await?.text().await };
    let told: Result<String, telemetry::http::Error> = telemetry.scope(step("order", asked)).await;
    assert_eq!(told?, "false");
    assert_eq!(recorder.tree(3).await?, "INTERNAL order\n  CLIENT GET /stock/{sku}\nSERVER GET /stock/{sku}\n");
    Ok(())
}
