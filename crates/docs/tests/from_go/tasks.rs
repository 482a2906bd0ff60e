use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use telemetry::http::{Client, ServerLayer};
use telemetry::{Task, fail_current, step};
use tokio::sync::Notify;

use super::{DEADLINE, recorded, serve};

/// A warehouse that listens when it is let.
#[derive(Clone, Default)]
struct Warehouse {
    called: Arc<Notify>,
    may_listen: Arc<Notify>,
}

impl Warehouse {
    async fn tell(&self, _item: &str) {
        self.called.notify_one();
        self.may_listen.notified().await;
    }
}

// ANCHOR: spawn
async fn place(State(warehouse): State<Warehouse>, Json(item): Json<String>) -> StatusCode {
    Task::internal("tell the warehouse").spawn(async move { warehouse.tell(&item).await });
    StatusCode::ACCEPTED
}
// ANCHOR_END: spawn

/// As [`place`], and never answers.
async fn hesitate(State(warehouse): State<Warehouse>, Json(item): Json<String>) -> StatusCode {
    Task::internal("tell the warehouse").spawn(async move { warehouse.tell(&item).await });
    std::future::pending().await
}

fn shop(warehouse: &Warehouse) -> Router {
    let routes = Router::new().route("/orders", post(place)).route("/slow", post(hesitate));
    routes.with_state(warehouse.clone()).layer(ServerLayer::new(&[]))
}

/// Orders tea, in no trace.
async fn order(address: SocketAddr, path: &'static str) -> anyhow::Result<StatusCode> {
    let client = Client::new(DEADLINE)?;
    let request = client.post(format!("http://{address}{path}").parse()?, path).with(|request| request.json("tea"));
    Ok(request.send().await?.status())
}

#[tokio::test]
async fn what_is_spawned_outlives_the_answer_and_is_below_the_request_that_has_ended() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = recorded()?;
    let warehouse = Warehouse::default();
    let address = serve(&telemetry, || shop(&warehouse)).await?;
    assert_eq!(order(address, "/orders").await?, StatusCode::ACCEPTED);
    assert_eq!(recorder.tree(1).await?, "SERVER POST /orders\n");
    warehouse.may_listen.notify_one();
    assert_eq!(recorder.tree(2).await?, "SERVER POST /orders\n  INTERNAL tell the warehouse\n");
    Ok(())
}

#[tokio::test]
async fn a_caller_who_leaves_ends_the_request_and_not_what_it_has_spawned() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = recorded()?;
    let warehouse = Warehouse::default();
    let address = serve(&telemetry, || shop(&warehouse)).await?;
    tokio::select! {
        answer = order(address, "/slow") => anyhow::bail!("it has answered {answer:?}"),
        // The caller leaves.
        () = warehouse.called.notified() => {}
    }
    assert_eq!(recorder.tree(1).await?, "SERVER POST /slow, failed: cancelled\n");
    warehouse.may_listen.notify_one();
    let tree = recorder.tree(2).await?;
    assert_eq!(tree, "SERVER POST /slow, failed: cancelled\n  INTERNAL tell the warehouse\n");
    Ok(())
}

async fn price_of(_sku: &str) -> u32 {
    7
}

async fn stock_of(_sku: &str) -> u32 {
    3
}

async fn offer(sku: &str) -> (u32, u32) {
    // ANCHOR: join
    let price = step("price", price_of(sku));
    let stock = step("stock", stock_of(sku));
    let (price, stock) = tokio::join!(price, stock);
    // ANCHOR_END: join
    (price, stock)
}

#[tokio::test]
async fn what_runs_at_once_is_side_by_side() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = recorded()?;
    assert_eq!(telemetry.scope(step("offer", offer("tea"))).await, (7, 3));
    assert_eq!(recorder.tree(3).await?, "INTERNAL offer\n  INTERNAL price\n  INTERNAL stock\n");
    Ok(())
}

struct SoldOut;

async fn look_up(sku: &str) -> Option<u32> {
    (sku == "tea").then_some(7)
}

// ANCHOR: own
async fn price(sku: String) -> Result<u32, SoldOut> {
    let work = async {
        let price = look_up(&sku).await;
        price.ok_or_else(|| {
            fail_current("sold_out");
            SoldOut
        })
    };
    Task::internal("price").attribute("shop.sku", sku.clone()).run(work).await
}
// ANCHOR_END: own

#[tokio::test]
async fn a_step_of_ones_own_shows_what_it_is_told_to_show() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = recorded()?;
    assert!(telemetry.scope(price("tea".to_owned())).await.is_ok_and(|price| price == 7));
    assert!(telemetry.scope(price("gold".to_owned())).await.is_err());
    assert_eq!(recorder.tree(2).await?, "INTERNAL price\nINTERNAL price, failed: sold_out\n");
    assert_eq!(recorder.attribute("price", "shop.sku").as_deref(), Some("tea"));
    Ok(())
}
