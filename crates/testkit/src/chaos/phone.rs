use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use migrations::demo::Patient;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

use super::copies::COPIES;
use super::ledger::Ledger;
use crate::client::{Client, Token, report};

/// The pause between two reports of one patient, and before a retry.
const PAUSE: std::ops::Range<u64> = 20..200;

/// Submits one report after the other, as a phone does. Each report is sent again with the same idempotency key until
/// it is acknowledged. Each request goes to a random gateway, as behind a load balancer.
pub(super) async fn run(
    gateways: [Client; COPIES],
    patient: &'static Patient,
    seed: u64,
    ledger: Arc<Ledger>,
    stopped: watch::Receiver<bool>,
) {
    let mut rng = Rng::with_seed(seed);
    let mut token = login(&gateways, patient, &mut rng).await;
    while !*stopped.borrow() {
        let key = Uuid::new_v4().to_string();
        let mut body = report(patient.assignment);
        body["answers"]["pain"] = json!(rng.u8(0..=10));
        let start = Instant::now();
        loop {
            let gateway = rng.usize(..COPIES);
            match gateways[gateway].submit(&token, &key, &body).await {
                Ok(answer) if matches!(answer.status, 201 | 202) => {
                    let report_id = answer.json()["report_id"].as_str().unwrap_or_default().to_owned();
                    let report = format!("/v1/reports/{report_id}");
                    ledger.acknowledge(key, report_id, start.elapsed(), gateway);
                    // The answer does not matter: the request keeps a connection in use that only reads use.
                    let _ = gateways[gateway].get(&report, Some(&token)).await;
                    break;
                }
                Ok(answer) if answer.status == 401 => token = login(&gateways, patient, &mut rng).await,
                Ok(answer) if answer.status < 500 && answer.status != 409 && answer.status != 429 => {
                    ledger.refuse(format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)));
                    break;
                }
                Ok(_) | Err(_) => {
                    ledger.retry();
                    pause(&mut rng).await;
                }
            }
        }
        pause(&mut rng).await;
    }
}

async fn login(gateways: &[Client; COPIES], patient: &Patient, rng: &mut Rng) -> Token {
    loop {
        if let Ok(token) = gateways[rng.usize(..COPIES)].login(patient.login, patient.pin).await {
            return token;
        }
        pause(rng).await;
    }
}

async fn pause(rng: &mut Rng) {
    sleep(Duration::from_millis(rng.u64(PAUSE))).await;
}
