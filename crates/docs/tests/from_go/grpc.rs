use std::net::SocketAddr;

use docs::stock::stock_client::StockClient;
use docs::stock::stock_server::{Stock, StockServer};
use docs::stock::{ReserveRequest, ReserveResponse};
use telemetry::grpc::{ServerLayer, TracedChannel};
use telemetry::{Telemetry, step};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};

use super::recorded;

struct Shelves;

#[tonic::async_trait]
impl Stock for Shelves {
    async fn reserve(&self, request: Request<ReserveRequest>) -> Result<Response<ReserveResponse>, Status> {
        match &*request.into_inner().sku {
            "tea" => Ok(Response::new(ReserveResponse {})),
            "crash" => Err(Status::internal("the shelf fell down")),
            _ => Err(Status::not_found("there is none")),
        }
    }
}

// ANCHOR: server
async fn serve(listener: TcpListener) -> Result<(), tonic::transport::Error> {
    Server::builder()
        .layer(ServerLayer::new(&["grpc.health.v1.Health"]))
        .add_service(StockServer::new(Shelves))
        .serve_with_incoming(TcpIncoming::from(listener))
        .await
}
// ANCHOR_END: server

#[expect(clippy::disallowed_methods, reason = "a server of the test's, in no trace")]
async fn start(telemetry: &Telemetry) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(telemetry.scope(serve(listener)));
    Ok(address)
}

async fn reserve(address: SocketAddr, sku: &str) -> anyhow::Result<()> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    let sku = sku.to_owned();
    // ANCHOR: client
    let mut stock = StockClient::new(TracedChannel::new(&endpoint, "stock"));
    stock.reserve(ReserveRequest { sku }).await?;
    // ANCHOR_END: client
    Ok(())
}

#[tokio::test]
async fn a_call_is_a_span_on_either_side() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = recorded()?;
    let address = start(&telemetry).await?;
    telemetry.scope(step("order", reserve(address, "tea"))).await?;
    let tree = recorder.tree(3).await?;
    assert_eq!(tree, "INTERNAL order\n  CLIENT shop.v1.Stock/Reserve\n    SERVER shop.v1.Stock/Reserve\n");
    assert_eq!(recorder.attribute("shop.v1.Stock/Reserve", "rpc.method").as_deref(), Some("shop.v1.Stock/Reserve"));
    Ok(())
}

#[tokio::test]
async fn a_failure_shows_its_code_on_either_side_and_no_words() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = recorded()?;
    let address = start(&telemetry).await?;
    assert!(telemetry.scope(reserve(address, "crash")).await.is_err());
    let tree = recorder.tree(2).await?;
    assert_eq!(
        tree,
        "CLIENT shop.v1.Stock/Reserve, failed: INTERNAL\n  SERVER shop.v1.Stock/Reserve, failed: INTERNAL\n"
    );
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_no_failure_of_either_side() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = recorded()?;
    let address = start(&telemetry).await?;
    assert!(telemetry.scope(reserve(address, "coffee")).await.is_err());
    let tree = recorder.tree(2).await?;
    assert_eq!(tree, "CLIENT shop.v1.Stock/Reserve\n  SERVER shop.v1.Stock/Reserve\n");
    Ok(())
}
