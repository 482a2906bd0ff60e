//! Simulated patients who submit reports: either each as soon as the last one is answered (a closed model), or at a
//! steady rate that does not depend on the answers (an open model).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use axum::body::Bytes;
use axum::http::{Request, StatusCode, header};
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::population::Patient;
use crate::client::report;

/// The results of one time under load.
#[derive(Debug)]
pub(super) struct Load {
    /// In microseconds. At a steady rate each latency counts from the time when the submission was due, so that the
    /// wait behind a slow one is included (no coordinated omission).
    pub(super) latency: Histogram<u64>,
    /// Answers other than 201.
    pub(super) refused: u64,
    /// When each report was acknowledged, in microseconds since 1970.
    pub(super) acknowledged: Vec<(Uuid, u64)>,
}

impl Load {
    fn new() -> anyhow::Result<Self> {
        // At most one minute, with three significant digits.
        Ok(Self { latency: Histogram::new_with_max(60_000_000, 3)?, refused: 0, acknowledged: Vec::new() })
    }

    fn note(&mut self, since: Instant, answer: Option<Uuid>) {
        let Some(report_id) = answer else {
            self.refused += 1;
            return;
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.latency.saturating_record(micros(since.elapsed()));
        self.acknowledged.push((report_id, micros(now)));
    }

    fn gather(loads: Vec<Self>) -> anyhow::Result<Self> {
        let mut all = Self::new()?;
        for load in loads {
            all.latency.add(&load.latency)?;
            all.refused += load.refused;
            all.acknowledged.extend(load.acknowledged);
        }
        Ok(all)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Runs `clients` clients for `duration`. Each submits as soon as it has its last answer.
pub(super) async fn closed(
    gateway: SocketAddr,
    patients: &[Patient],
    clients: usize,
    duration: Duration,
) -> anyhow::Result<Load> {
    let end = Instant::now() + duration;
    let loads = (0..clients).map(|number| {
        let patient = patients[number % patients.len()].clone();
        let task = tokio::spawn(async move {
            let mut phone = Phone::connect(gateway).await?;
            let mut load = Load::new()?;
            while Instant::now() < end {
                let since = Instant::now();
                let answer = phone.submit(&patient).await?;
                load.note(since, answer);
            }
            anyhow::Ok(load)
        });
        async { task.await.context("a client")? }
    });
    Load::gather(try_join_all(loads).await?)
}

/// Submissions become due at a steady rate, in submissions a second. They are sent by as many clients as that takes, up
/// to `clients`.
pub(super) async fn open(
    gateway: SocketAddr,
    patients: &[Patient],
    clients: usize,
    rate: f64,
    duration: Duration,
) -> anyhow::Result<Load> {
    let start = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let loads = (0..clients).map(|number| {
        let patient = patients[number % patients.len()].clone();
        let next = Arc::clone(&next);
        let task = tokio::spawn(async move {
            let mut phone = Phone::connect(gateway).await?;
            let mut load = Load::new()?;
            loop {
                #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
                let offset = Duration::from_secs_f64(next.fetch_add(1, Ordering::Relaxed) as f64 / rate);
                if offset >= duration {
                    return anyhow::Ok(load);
                }
                let due = start + offset;
                sleep_until(due).await;
                let answer = phone.submit(&patient).await?;
                load.note(due, answer);
            }
        });
        async { task.await.context("a client")? }
    });
    Load::gather(try_join_all(loads).await?)
}

/// One connection to the gateway.
struct Phone {
    gateway: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

impl Phone {
    async fn connect(gateway: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(gateway).await.context("connect to the gateway")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { gateway, sender })
    }

    /// Submits a new report. Returns its id if it was stored.
    async fn submit(&mut self, patient: &Patient) -> anyhow::Result<Option<Uuid>> {
        if self.sender.is_closed() {
            *self = Self::connect(self.gateway).await?;
        }
        self.sender.ready().await?;
        let request = Request::post("/v1/reports")
            .header(header::HOST, self.gateway.to_string())
            .header(header::AUTHORIZATION, format!("Bearer {}", patient.token))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", Uuid::new_v4().to_string())
            .body(Full::from(serde_json::to_vec(&report(patient.assignment))?))?;
        let answer = self.sender.send_request(request).await.context("submit")?;
        let status = answer.status();
        let body = answer.into_body().collect().await.context("read an answer")?.to_bytes();
        if status != StatusCode::CREATED {
            return Ok(None);
        }
        let body: Value = serde_json::from_slice(&body)?;
        Ok(Some(body["report_id"].as_str().context("an answer without an id")?.parse()?))
    }
}
