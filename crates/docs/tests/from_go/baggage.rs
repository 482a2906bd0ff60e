use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use telemetry::Telemetry;
use telemetry::http::{Client, ServerLayer};

use super::{ask, serve, settings};

// ANCHOR: baggage
/// Of `acme.shop.example` the tenant is `acme`.
async fn with_tenant(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let tenant = host.and_then(|host| host.split('.').next()).unwrap_or_default().to_owned();
    telemetry::with_baggage("tenant", tenant, next.run(request)).await
}

/// In a service further down.
async fn show_tenant() -> String {
    telemetry::baggage("tenant").unwrap_or_default()
}
// ANCHOR_END: baggage

#[derive(Clone)]
struct Below {
    client: Client,
    url: String,
}

async fn ask_below(State(below): State<Below>) -> String {
    let Ok(url) = below.url.parse() else { return "no URL".to_owned() };
    match below.client.get(url, "/tenant").send().await {
        Ok(answer) => answer.text().await.unwrap_or_default(),
        Err(error) => error.to_string(),
    }
}

/// What a service further down takes for the tenant, when a stranger asks the first one.
async fn tenant(config: &telemetry::Config) -> anyhow::Result<String> {
    let (telemetry, _recorder) = Telemetry::recorded(config)?;
    let inner = || Router::new().route("/tenant", get(show_tenant)).layer(ServerLayer::new(&[]).in_mesh());
    let url = format!("http://{}/tenant", serve(&telemetry, inner).await?);
    let below = Below { client: Client::new(Duration::from_secs(5))?.in_mesh(), url };
    let edge = || {
        let routes = Router::new().route("/tenant", get(ask_below)).with_state(below);
        routes.layer(from_fn(with_tenant)).layer(ServerLayer::new(&[]))
    };
    let address = serve(&telemetry, edge).await?;
    let headers = [("host", "acme.shop.example"), ("baggage", "tenant=somebody-else")];
    Ok(ask(format!("http://{address}/tenant"), &headers).await?.text().await?)
}

#[tokio::test]
async fn what_is_allowed_reaches_services_further_down_whatever_a_stranger_says() -> anyhow::Result<()> {
    assert_eq!(tenant(&settings("baggage: [tenant]")?.telemetry).await?, "acme");
    Ok(())
}

#[tokio::test]
async fn by_default_no_baggage_goes_anywhere() -> anyhow::Result<()> {
    assert_eq!(tenant(&telemetry::Config::new("shop")).await?, "");
    Ok(())
}
