//! A network that silently stops forwarding, as a NAT or a failover may do: old connections stay open without working,
//! and new ones work.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use e2e::{DEADLINE, NURSES_PER_SITE, PATIENT, rows};
use futures_util::future::join_all;
use testkit::client::{Client, Response, Token};
use testkit::poll;
use testkit::stack::{Builder, Peer, Service, Stack};

/// The longest time until the stack works again.
const RECOVERY: Duration = Duration::from_secs(15);

/// The size of a connection pool. As many concurrent submissions fill it.
const CONNECTIONS: usize = 20;

/// A stack with a proxy before every connection, and with short retry intervals for deliveries.
fn proxied() -> Builder {
    [
        ("EPRO_SWEEP__OVERDUE", "1s"),
        ("EPRO_DELIVERY__BACKOFF__BASE", "100ms"),
        ("EPRO_SMS__TIMEOUT", "1s"),
        ("EPRO_SMS__ANSWER_TIMEOUT", "2s"),
        ("EPRO_SMTP__TIMEOUT", "1s"),
        ("EPRO_SMTP__ANSWER_TIMEOUT", "2s"),
    ]
    .into_iter()
    .fold(Stack::builder().proxied(), |builder, (name, value)| builder.env(Service::NotifySvc, name, value))
}

/// Repeats a request until its answer has this status. The answers before must be temporary errors.
async fn until(status: u16, request: impl AsyncFn() -> anyhow::Result<Response>) -> anyhow::Result<Response> {
    let start = Instant::now();
    loop {
        let answer = request().await?;
        if answer.status == status {
            return Ok(answer);
        }
        ensure!(answer.status == 503, "{} {}", answer.status, String::from_utf8_lossy(&answer.body));
        ensure!(start.elapsed() < 2 * RECOVERY, "it never recovers");
    }
}

/// Submits as many reports at the same time as a pool has connections, so that all of them are open.
async fn fill_pools(client: &Client, token: &Token) -> anyhow::Result<()> {
    let submissions = (0..CONNECTIONS).map(|_| client.submit_new(token, PATIENT.assignment));
    for answer in join_all(submissions).await {
        answer?.expect_status(201)?;
    }
    Ok(())
}

/// Waits until every nurse has been notified of every report.
async fn told(stack: &Stack) -> anyhow::Result<()> {
    let found = poll::until(DEADLINE, async || rows(stack).await, |rows| rows.delivered == rows.notifications).await?;
    ensure!(found.delivered == found.notifications, "{found:?}");
    Ok(())
}

/// Silences the connections from `service` to `peer`, then uses everything until it works again: reports are accepted,
/// read and delivered.
async fn recovers(service: Service, peer: Peer) -> anyhow::Result<()> {
    let stack = proxied().start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    fill_pools(&client, &token).await?;
    told(&stack).await?;

    stack.proxy(service, peer)?.silence();
    let start = Instant::now();
    let submitted = until(201, async || client.submit_new(&token, PATIENT.assignment).await).await?;
    until(200, async || client.get("/v1/reports", Some(&token)).await).await?;
    told(&stack).await?;
    let took = start.elapsed();
    ensure!(took < RECOVERY, "{service} to {peer} took {took:?}");
    let trace_id = submitted.trace_id().context("a trace")?;
    let expected = testkit::contract::submit_report(NURSES_PER_SITE);
    if peer == Peer::Otlp {
        stack.otlp.wait_for_shape(&trace_id, DEADLINE, &expected).await?;
    }
    let database = &mut stack.database.connect().await?;
    let unknown = "SELECT count(*) FROM clinical.delivery_attempt WHERE outcome = 'uncertain'";
    let unknown: i64 = sqlx::query_scalar(unknown).fetch_one(database).await?;
    ensure!(unknown == 0, "{unknown} messages went into silent connections");
    // This shows that every connection in the pools works, and not only some.
    fill_pools(&client, &token).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn data_svc_replaces_connections_to_postgres_that_have_fallen_silent() -> anyhow::Result<()> {
    recovers(Service::DataSvc, Peer::Postgres).await
}

#[tokio::test]
async fn user_svc_replaces_connections_to_postgres_that_have_fallen_silent() -> anyhow::Result<()> {
    recovers(Service::UserSvc, Peer::Postgres).await
}

#[tokio::test]
async fn the_gateway_replaces_channels_that_have_fallen_silent() -> anyhow::Result<()> {
    for callee in [Service::UserSvc, Service::EproSvc, Service::DataSvc] {
        recovers(Service::Gateway, Peer::Service(callee)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn epro_svc_replaces_channels_that_have_fallen_silent() -> anyhow::Result<()> {
    for callee in [Service::DataSvc, Service::NotifySvc] {
        recovers(Service::EproSvc, Peer::Service(callee)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn notify_svc_replaces_channels_that_have_fallen_silent() -> anyhow::Result<()> {
    for callee in [Service::DataSvc, Service::UserSvc] {
        recovers(Service::NotifySvc, Peer::Service(callee)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_sms_client_replaces_connections_that_have_fallen_silent() -> anyhow::Result<()> {
    recovers(Service::NotifySvc, Peer::Sms).await
}

#[tokio::test]
async fn the_mailer_replaces_connections_that_have_fallen_silent() -> anyhow::Result<()> {
    recovers(Service::NotifySvc, Peer::Smtp).await
}

#[tokio::test]
async fn exporters_replace_connections_that_have_fallen_silent() -> anyhow::Result<()> {
    for service in Service::ALL {
        recovers(service, Peer::Otlp).await?;
    }
    Ok(())
}

#[tokio::test]
async fn readiness_tells_whether_data_svc_can_reach_postgres() -> anyhow::Result<()> {
    readiness_follows(Service::DataSvc).await
}

#[tokio::test]
async fn readiness_tells_whether_user_svc_can_reach_postgres() -> anyhow::Result<()> {
    readiness_follows(Service::UserSvc).await
}

async fn readiness_follows(service: Service) -> anyhow::Result<()> {
    let stack = proxied().start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    fill_pools(&client, &token).await?;
    let postgres = stack.proxy(service, Peer::Postgres)?;
    let status = async || Ok(client.get("/readyz", None).await?.status);
    // Otherwise a service that is still starting could be taken for one that has noticed the partition.
    assert_eq!(poll::until(RECOVERY, status, |status| *status == 200).await?, 200);

    postgres.partition();
    assert_eq!(poll::until(RECOVERY, status, |status| *status == 503).await?, 503);
    // Also while all connections of the pool are waiting for an answer.
    let submissions = join_all((0..2 * CONNECTIONS).map(|_| client.submit_new(&token, PATIENT.assignment)));
    let (answers, seen) = tokio::join!(submissions, async {
        let mut seen = Vec::new();
        for _ in 0..20 {
            seen.push(status().await?);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(seen)
    });
    assert!(answers.into_iter().all(|answer| answer.is_ok_and(|answer| answer.status == 503)));
    assert_eq!(seen?, [503; 20]);

    postgres.restore();
    assert_eq!(poll::until(RECOVERY, status, |status| *status == 200).await?, 200);
    stack.stop().await?;
    Ok(())
}
