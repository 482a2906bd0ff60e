//! What comes at the same time as a report.

use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;
use tokio::task::JoinSet;

use super::{Crowd, DEADLINE, Fault, Runner, Scenario, System};
use crate::client::Client;
use crate::poll;
use crate::stack::Service;

/// Longer than a service takes to open all connections of its pool, and not longer than its statements wait for a lock.
const OPENING: Duration = Duration::from_secs(3);

/// What user-svc is asked for each request.
const AUTHENTICATE: &str = "epro.user.v1.UserService/Authenticate";

impl<S: System> Runner<S> {
    /// Has what comes at the same time come and go once, for it is to find all connections of the pools open: while they are
    /// opened, the first to wait would give up.
    pub(super) async fn rehearse(&mut self, scenario: &Scenario, described: &Crowd) -> anyhow::Result<()> {
        let mut crowd = self.crowd(described);
        // How far it gets in this time is good enough.
        poll::until(OPENING, async || self.stack.waiting().await, |now| *now >= described.waiting).await?;
        for lock in scenario.faults.iter().filter(|fault| matches!(fault, Fault::Lock(_))) {
            self.stack.end(lock).await?;
            while crowd.join_next().await.is_some() {}
            self.stack.begin(lock).await?;
        }
        Ok(())
    }

    /// Sends what comes at the same time, and waits until all of it is in the way.
    pub(super) async fn gather(&mut self, described: &Crowd) -> anyhow::Result<JoinSet<()>> {
        let known_before = known(&self.stack.logs().await?);
        let crowd = self.crowd(described);
        // Who is known to user-svc is ahead of the report, of which user-svc knows nothing yet.
        let ask = async || anyhow::Ok((self.stack.waiting().await?, known(&self.stack.logs().await?) - known_before));
        let is_enough =
            |(waiting, known): &(usize, usize)| *waiting >= described.waiting && *known >= described.requests;
        let (waiting, known) = poll::until(DEADLINE, ask, is_enough).await?;
        ensure!(is_enough(&(waiting, known)), "only {waiting} statements wait for a lock, of {known} requests");
        Ok(crowd)
    }

    fn crowd(&self, described: &Crowd) -> JoinSet<()> {
        let client = Client::new(format!("http://{}", self.stack.gateway()));
        let mut crowd = JoinSet::new();
        for _ in 0..described.requests {
            let (client, token, path) = (client.clone(), self.patient.token.clone(), described.path.clone());
            // They are to be in the way, and what becomes of them does not matter.
            crowd.spawn(async move { drop(client.get(&path, Some(&token)).await) });
        }
        crowd
    }
}

/// How many requests user-svc has said of who they come from.
fn known(lines: &[Value]) -> usize {
    let is_one = |line: &&Value| line["rpc.method"] == AUTHENTICATE && line["rpc.status_code"] == "OK";
    lines.iter().filter(is_one).filter(|line| line["service"] == Service::UserSvc.name()).count()
}
