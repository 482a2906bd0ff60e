//! Phones in front of several copies of the gateway, and how evenly the copies of each service share the work.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use uuid::Uuid;

use crate::bench::{Patient, log_in_demo};
use crate::client::{Client, Response, Token, report};
use crate::trace::{Kind, Trace};

/// The most times that a report is sent: more than there are gateways, so that it reaches one that is up.
const ATTEMPTS: usize = 5;

/// The pause before a report is sent again.
const RETRY: Duration = Duration::from_millis(50);

/// The pause after a 503, as `Retry-After` says.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The answer of a gateway to a report.
#[derive(Debug, Clone)]
pub struct Answered {
    pub status: u16,
    pub trace_id: String,
    /// How often the report was sent to get this answer.
    pub sent: usize,
    pub took: Duration,
}

/// Submits reports, each to the next gateway, on connections that are kept open. When a gateway refuses the connection
/// or closes it without an answer, the report goes to the next gateway with the same idempotency key, as a phone would
/// do. Under [`Load`] every answer is final.
#[derive(Debug)]
pub struct Caller {
    gateways: Arc<[Client]>,
    assignment: Uuid,
    token: Token,
    first: usize,
}

impl Caller {
    /// One caller for each patient.
    pub fn each(gateways: &[Client], patients: Vec<Patient>) -> Vec<Self> {
        let gateways: Arc<[Client]> = gateways.into();
        let caller = |(first, patient): (usize, Patient)| {
            let Patient { token, assignment } = patient;
            Self { gateways: Arc::clone(&gateways), assignment, token: Token(token), first }
        };
        patients.into_iter().enumerate().map(caller).collect()
    }

    /// `count` callers, who share the patients of the demo study.
    ///
    /// # Errors
    /// When a patient cannot log in.
    pub async fn several(gateways: &[Client], count: usize) -> anyhow::Result<Vec<Self>> {
        let patients = log_in_demo(&gateways[0]).await?;
        Ok(Self::each(gateways, patients.into_iter().cycle().take(count).collect()))
    }

    /// Submits `count` reports with a pause after each. After a 503 the report is sent again.
    ///
    /// # Errors
    /// When no gateway answers.
    pub async fn submit_so_often(&self, count: usize, pause: Duration) -> anyhow::Result<Vec<Answered>> {
        let mut answers = Vec::with_capacity(count);
        for number in 0..count {
            answers.push(self.submit(self.first + number, |status| status != 503).await?);
            sleep(pause).await;
        }
        Ok(answers)
    }

    async fn submit_until(&self, pause: Duration, stopped: watch::Receiver<bool>) -> anyhow::Result<Vec<Answered>> {
        let mut answers = Vec::new();
        while !*stopped.borrow() {
            answers.push(self.submit(self.first + answers.len(), |_| true).await?);
            sleep(pause).await;
        }
        Ok(answers)
    }

    /// Sends a report until it gets a final answer.
    async fn submit(&self, first: usize, is_final: impl Fn(u16) -> bool) -> anyhow::Result<Answered> {
        let (key, body, start) = (Uuid::new_v4().to_string(), report(self.assignment), Instant::now());
        let mut last = None;
        for attempt in 0..ATTEMPTS {
            let gateway = &self.gateways[(first + attempt) % self.gateways.len()];
            match gateway.submit(&self.token, &key, &body).await {
                Ok(answer) if !is_final(answer.status) && attempt + 1 < ATTEMPTS => sleep(RETRY_AFTER).await,
                Ok(answer) => return answered(&answer, attempt + 1, start.elapsed()),
                Err(error) => last = Some(error),
            }
            sleep(RETRY).await;
        }
        match last {
            Some(error) => Err(error).context("no gateway takes a report"),
            None => bail!("nothing was sent"),
        }
    }
}

fn answered(answer: &Response, sent: usize, took: Duration) -> anyhow::Result<Answered> {
    let trace_id = answer.trace_id().context("an answer without a trace id")?;
    Ok(Answered { status: answer.status, trace_id, sent, took })
}

/// Callers who submit one report after the other until they are stopped.
#[derive(Debug)]
pub struct Load {
    stop: watch::Sender<bool>,
    callers: Vec<JoinHandle<anyhow::Result<Vec<Answered>>>>,
}

impl Load {
    /// Each caller pauses between two reports, so that deliveries get CPU time too. The starts are spread over the
    /// pause, so that the load is even.
    pub fn start(callers: Vec<Caller>, pause: Duration) -> Self {
        let stop = watch::Sender::new(false);
        let between = pause / u32::try_from(callers.len()).unwrap_or(u32::MAX).max(1);
        let start = |(before, caller): (u32, Caller)| {
            let stopped = stop.subscribe();
            tokio::spawn(async move {
                sleep(between * before).await;
                caller.submit_until(pause, stopped).await
            })
        };
        Self { callers: (0..).zip(callers).map(start).collect(), stop }
    }

    /// # Errors
    /// When no gateway answered a caller.
    pub async fn stop(self) -> anyhow::Result<Vec<Answered>> {
        self.stop.send_replace(true);
        let mut answers = Vec::new();
        for caller in self.callers {
            answers.extend(caller.await??);
        }
        Ok(answers)
    }
}

/// How many requests each copy of each service has served, by the copy's `service.instance.id`.
#[derive(Debug, Default)]
pub struct Spread(pub BTreeMap<String, BTreeMap<String, usize>>);

impl Spread {
    pub fn of(traces: &[Trace]) -> Self {
        let mut spread = Self::default();
        for span in traces.iter().flat_map(|trace| &trace.spans).filter(|span| span.kind == Kind::Server) {
            let copy = span.resource.get("service.instance.id").and_then(Value::as_str).unwrap_or_default();
            *spread.0.entry(span.service.clone()).or_default().entry(copy.to_owned()).or_default() += 1;
        }
        spread
    }

    /// The largest difference of a copy's share from the mean, relative to the mean.
    pub fn unfairness(&self, service: &str) -> f64 {
        let copies = self.0.get(service).into_iter().flat_map(BTreeMap::values);
        let counts: Vec<f64> = copies.map(|count| f64::from(u32::try_from(*count).unwrap_or(u32::MAX))).collect();
        let (number, total) = counts.iter().fold((0.0, 0.0), |(number, total), count| (number + 1.0, total + count));
        counts.iter().map(|count| (count * number / total - 1.0).abs()).fold(0.0, f64::max)
    }
}
