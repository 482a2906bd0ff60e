//! The requests of the load, and which of them fail in which way.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::SystemTime;

use anyhow::{Context, ensure};
use fastrand::Rng;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::to_vec;
use tokio::sync::watch;
use uuid::Uuid;

use crate::bench::population::Patient;
use crate::client::{Client, report};
use crate::stack::Service;

/// The number of sites. Each has one nurse, and her phone number decides what happens to messages for her.
pub(super) const SITES: u32 = 8;
pub(super) const PATIENTS: u32 = 64;
/// The site whose nurse has an invalid number, and the one where the provider refuses the number only later.
pub(super) const REFUSED_SITE: u32 = 0;
pub(super) const LATE_SITE: u32 = 1;

/// For every ten submissions there is one read of each kind.
const SUBMISSIONS_A_READ: u32 = 10;

/// An endpoint of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    Submit,
    Reports,
    Assignments,
}

impl Route {
    pub const ALL: [Self; 3] = [Self::Submit, Self::Reports, Self::Assignments];

    /// The name of the root span.
    pub fn name(self) -> &'static str {
        match self {
            Self::Submit => "POST /v1/reports",
            Self::Reports => "GET /v1/reports",
            Self::Assignments => "GET /v1/me/assignments",
        }
    }
}

/// The way in which a submission fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// A service answers with an error, which the patient sees.
    Answer(Service),
    /// The hint to notify-svc fails, after the patient's answer.
    Hint,
    /// The SMS provider refuses the number, soon after the patient's answer.
    Delivery,
    /// The SMS provider refuses the number so late that samplers have dropped the rest of the trace.
    LateDelivery,
}

impl Failure {
    pub const ALL: [Self; 7] = [
        Self::Answer(Service::Gateway),
        Self::Answer(Service::UserSvc),
        Self::Answer(Service::EproSvc),
        Self::Answer(Service::DataSvc),
        Self::Hint,
        Self::Delivery,
        Self::LateDelivery,
    ];

    /// The service that fails.
    pub fn culprit(self) -> Service {
        match self {
            Self::Answer(service) => service,
            Self::Hint | Self::Delivery | Self::LateDelivery => Service::NotifySvc,
        }
    }

    /// Whether the patient's answer reports the failure.
    pub fn is_answered(self) -> bool {
        matches!(self, Self::Answer(_))
    }

    /// The fault that the request asks for in its baggage.
    fn fault(self) -> Option<&'static str> {
        match self {
            Self::Answer(Service::EproSvc) => Some("epro-svc:panic"),
            // The innermost call of a submission.
            Self::Answer(Service::DataSvc) => Some("data-svc/SaveReport:error=unavailable"),
            Self::Answer(Service::UserSvc) => Some("user-svc:error=unavailable"),
            Self::Answer(Service::Gateway) => Some("gateway:error=unavailable"),
            Self::Answer(Service::NotifySvc) | Self::Hint => Some("notify-svc:error=unavailable"),
            Self::Delivery | Self::LateDelivery => None,
        }
    }

    fn site(self) -> Option<u32> {
        match self {
            Self::Delivery => Some(REFUSED_SITE),
            Self::LateDelivery => Some(LATE_SITE),
            Self::Answer(_) | Self::Hint => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(service) => write!(f, "{service} fails"),
            Self::Hint => f.write_str("the hint fails"),
            Self::Delivery => f.write_str("a delivery fails"),
            Self::LateDelivery => f.write_str("a delivery fails late"),
        }
    }
}

/// One request of the load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) route: Route,
    pub(super) failure: Option<Failure>,
    /// The index of the patient who sends it.
    patient: usize,
    key: u128,
}

/// A request that was sent, with the trace id of its answer.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) route: Route,
    pub(super) failure: Option<Failure>,
    pub(super) trace_id: String,
    /// From sending to the answer.
    pub(super) time: RangeInclusive<SystemTime>,
}

/// What became of requests.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Those that were answered as planned.
    pub(super) sent: Vec<Sent>,
    /// What happened to each of the others, because the machine is too busy or a service was killed.
    pub(super) unplanned: Vec<String>,
}

/// The requests of a run: `submissions` submissions, of which `failures` fail in each way, and reads in between, in an
/// order that `rng` decides.
pub(super) fn requests(submissions: u32, failures: u32, ways: &[Failure], rng: &mut Rng) -> Vec<Request> {
    let failing = ways.iter().flat_map(|way| (0..failures).map(move |_| Some(*way)));
    let mut kinds: Vec<_> = failing.map(|failure| (Route::Submit, failure)).collect();
    kinds.resize(kinds.len().max(submissions as usize), (Route::Submit, None));
    for _ in 0..submissions / SUBMISSIONS_A_READ {
        kinds.extend([(Route::Reports, None), (Route::Assignments, None)]);
    }
    rng.shuffle(&mut kinds);
    let request = |(route, failure): (Route, Option<Failure>)| {
        let site = failure.and_then(Failure::site).unwrap_or_else(|| rng.u32(LATE_SITE + 1..SITES));
        let patient = site + SITES * rng.u32(..PATIENTS / SITES);
        Request { route, failure, patient: patient as usize, key: rng.u128(..) }
    };
    kinds.into_iter().map(request).collect()
}

/// Sends all requests, `clients` at a time, and counts them in `progress`.
///
/// # Errors
/// When a request that must fail succeeds or is refused.
pub(super) async fn send(
    gateway: &Client,
    patients: &[Patient],
    requests: &[Request],
    clients: usize,
    progress: &watch::Sender<usize>,
) -> anyhow::Result<Answers> {
    let sent = requests.iter().map(async |request| {
        let sent = send_one(gateway, &patients[request.patient], *request).await;
        progress.send_modify(|count| *count += 1);
        sent
    });
    let mut answers = Answers::default();
    let mut arriving = stream::iter(sent).buffer_unordered(clients);
    while let Some(answer) = arriving.try_next().await? {
        match answer {
            Ok(sent) => answers.sent.push(sent),
            Err(what) => answers.unplanned.push(what),
        }
    }
    Ok(answers)
}

async fn send_one(gateway: &Client, patient: &Patient, request: Request) -> anyhow::Result<Result<Sent, String>> {
    let Request { route, failure, key, .. } = request;
    let authorization = format!("Bearer {}", patient.token);
    let key = Uuid::from_u128(key).to_string();
    let baggage = failure.and_then(Failure::fault).map(|fault| format!("demo.fault={fault}"));
    let mut headers = vec![("authorization", authorization.as_str())];
    headers.extend(baggage.as_deref().map(|baggage| ("baggage", baggage)));
    let mut body = Vec::new();
    if route == Route::Submit {
        headers.extend([("content-type", "application/json"), ("idempotency-key", key.as_str())]);
        body = to_vec(&report(patient.assignment))?;
    }
    let (method, path) = route.name().split_once(' ').context("a route has a method")?;
    let start = SystemTime::now();
    let answer = match gateway.raw(method, path, &headers, body).await {
        Ok(answer) => answer,
        Err(error) => return Ok(Err(format!("{}: {error:#}", route.name()))),
    };
    let time = start..=SystemTime::now();
    let is_failure = answer.status >= 500;
    let is_planned = failure.is_some_and(Failure::is_answered);
    if is_failure && !is_planned {
        return Ok(Err(format!("{}: {} {}", route.name(), answer.status, String::from_utf8_lossy(&answer.body))));
    }
    let (route_name, status) = (route.name(), answer.status);
    ensure!(is_failure == is_planned, "{route_name} was answered with {status}, and should have failed");
    ensure!(is_failure || status < 300, "{route_name} was refused with {status}");
    let trace_id = answer.trace_id().context("an answer without traceresponse")?;
    Ok(Ok(Sent { route, failure, trace_id, time }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_load_has_what_was_asked_for_and_a_seed_makes_it_again() {
        let load = |seed| requests(200, 3, &Failure::ALL, &mut Rng::with_seed(seed));
        let mut counts = BTreeMap::new();
        for request in load(1) {
            *counts.entry((request.route, request.failure)).or_insert(0) += 1;
        }
        assert_eq!(counts.remove(&(Route::Submit, None)), Some(200 - 3 * 7));
        assert_eq!(counts.remove(&(Route::Reports, None)), Some(20));
        assert_eq!(counts.remove(&(Route::Assignments, None)), Some(20));
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [3; 7]);

        let keys = |seed| load(seed).iter().map(|request| request.key).collect::<Vec<_>>();
        assert_eq!(keys(1), keys(1));
        assert_ne!(keys(1), keys(2));
    }

    #[test]
    fn only_deliveries_that_are_to_fail_go_to_the_nurses_who_cannot_be_reached() {
        for request in requests(500, 5, &Failure::ALL, &mut Rng::with_seed(7)) {
            let site = u32::try_from(request.patient).unwrap() % SITES;
            let expected = request.failure.and_then(Failure::site);
            assert_eq!(Some(site).filter(|site| *site <= LATE_SITE), expected, "{request:?}");
        }
    }
}
