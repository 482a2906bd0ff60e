//! Services that are killed while the load goes on, and what that may have cost the requests of that time.

use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::load::Sent;
use super::{Caught, Failure};
use crate::chaos::{Fault, Incident, orphans};
use crate::stack::{Service, Stack};
use crate::trace::Trace;

/// So long after an answer a submission's messages may still be on their way.
const DELIVERY: Duration = Duration::from_secs(10);

/// The order in which a submission needs the services.
const WAY: [Service; 5] = [Service::Gateway, Service::UserSvc, Service::EproSvc, Service::DataSvc, Service::NotifySvc];

/// A service that was killed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kill {
    incident: Incident,
    victim: Service,
    /// When all services were ready again.
    over: SystemTime,
}

/// Kills one service after the other, each time that so many more of the batch's requests have been sent, and starts it again.
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

/// Those that were under way, or whose messages may have been, when a service was killed or not back yet.
pub(super) fn met_by<'k>(sent: &Sent, kills: &'k [Kill]) -> Vec<&'k Kill> {
    let (start, end) = (*sent.time.start(), *sent.time.end() + DELIVERY);
    kills.iter().filter(|kill| start <= kill.over && end >= kill.incident.at).collect()
}

/// Whether the killed services explain that a failure's path is not complete: their last spans were not exported yet, or
/// they were not there to be asked.
pub(super) fn explain(failure: Failure, caught: Caught, trace: &Trace, kills: &[&Kill]) -> bool {
    if caught.caught > 0 {
        let incidents: Vec<Incident> = kills.iter().map(|kill| kill.incident).collect();
        return orphans::sort(trace, &incidents).1.is_empty();
    }
    let until_culprit = 1 + WAY.iter().position(|service| *service == failure.culprit()).unwrap_or_default();
    kills.iter().any(|kill| WAY[..until_culprit].contains(&kill.victim))
}
