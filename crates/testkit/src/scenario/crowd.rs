//! Requests that run at the same time as the report.

use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;
use tokio::task::JoinSet;

use super::{Crowd, DEADLINE, Fault, Runner, Scenario, System};
use crate::client::Client;
use crate::poll;
use crate::stack::Service;

/// Long enough for a service to open all connections of its pool, and not longer than the lock timeout of its
/// statements.
const OPENING: Duration = Duration::from_secs(3);

/// The RPC that every request makes to user-svc.
const AUTHENTICATE: &str = "epro.user.v1.UserService/Authenticate";

impl<S: System> Runner<S> {
    /// Sends the concurrent requests once in advance, so that the connection pools are fully open. While a pool opens
    /// connections, the first waiting requests would time out.
    pub(super) async fn warm_up(&mut self, scenario: &Scenario, described: &Crowd) -> anyhow::Result<()> {
        let mut crowd = self.crowd(described);
        // A lower number is good enough here.
        poll::until(OPENING, async || self.stack.waiting().await, |now| *now >= described.waiting).await?;
        for lock in scenario.faults.iter().filter(|fault| matches!(fault, Fault::Lock(_))) {
            self.stack.end(lock).await?;
            while crowd.join_next().await.is_some() {}
            self.stack.begin(lock).await?;
        }
        Ok(())
    }

    /// Sends the concurrent requests and waits until all of them are blocked.
    pub(super) async fn gather(&mut self, described: &Crowd) -> anyhow::Result<JoinSet<()>> {
        let known_before = known(&self.stack.logs().await?);
        let crowd = self.crowd(described);
        // A request that user-svc has authenticated is ahead of the report in the queue for the pool.
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
            // The requests only have to block others. Their results do not matter.
            crowd.spawn(async move { drop(client.get(&path, Some(&token)).await) });
        }
        crowd
    }
}

/// The number of requests that user-svc has authenticated.
fn known(lines: &[Value]) -> usize {
    let is_one = |line: &&Value| line["rpc.method"] == AUTHENTICATE && line["rpc.status_code"] == "OK";
    lines.iter().filter(is_one).filter(|line| line["service"] == Service::UserSvc.name()).count()
}
