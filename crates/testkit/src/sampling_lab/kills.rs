//! Kills services under load, and decides which missing spans that explains.

use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::load::Sent;
use super::{Caught, Failure};
use crate::chaos::{Fault, Incident, orphans};
use crate::stack::{Service, Stack};
use crate::trace::Trace;

/// How long after its answer a submission's messages may still be on their way.
const DELIVERY: Duration = Duration::from_secs(10);

/// The services in the order in which a submission needs them.
const WAY: [Service; 5] = [Service::Gateway, Service::UserSvc, Service::EproSvc, Service::DataSvc, Service::NotifySvc];

/// A service that was killed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kill {
    incident: Incident,
    victim: Service,
    /// When all services were ready again.
    over: SystemTime,
}

/// Kills the next service each time that `requests` more of the batch have been sent, and starts it again.
pub(super) async fn kill_every(
    requests: usize,
    batch: usize,
    stack: &mut Stack,
    mut progress: watch::Receiver<usize>,
) -> anyhow::Result<Vec<Kill>> {
    let mut kills = Vec::new();
    for (sent, victim) in (requests..batch).step_by(requests).zip(WAY.into_iter().cycle()) {
        progress.wait_for(|count| *count >= sent).await?;
        let incident = Incident { fault: Fault::Kill(victim), at: SystemTime::now(), recovery: None };
        stack.kill(victim).await?;
        stack.restart(victim).await?;
        stack.wait_until_ready().await?;
        kills.push(Kill { incident, victim, over: SystemTime::now() });
    }
    Ok(kills)
}

/// The kills during which a request, or the delivery of its messages, may have been under way.
pub(super) fn met_by<'k>(sent: &Sent, kills: &'k [Kill]) -> Vec<&'k Kill> {
    let (start, end) = (*sent.time.start(), *sent.time.end() + DELIVERY);
    kills.iter().filter(|kill| start <= kill.over && end >= kill.incident.at).collect()
}

/// Whether kills explain that the path of a failure is incomplete: the killed services had not exported their last
/// spans yet, or they were down and never got the request.
pub(super) fn explain(failure: Failure, caught: Caught, trace: &Trace, kills: &[&Kill]) -> bool {
    if caught.caught > 0 {
        let incidents: Vec<Incident> = kills.iter().map(|kill| kill.incident).collect();
        return orphans::sort(trace, &incidents).1.is_empty();
    }
    let until_culprit = 1 + WAY.iter().position(|service| *service == failure.culprit()).unwrap_or_default();
    kills.iter().any(|kill| WAY[..until_culprit].contains(&kill.victim))
}
