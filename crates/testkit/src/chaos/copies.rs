use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::Value;

use crate::client::Client;
use crate::proxy::Proxy;
use crate::stack::{Peer, Replica, Service, Stack};

/// The number of copies of each service.
pub(super) const COPIES: usize = 2;

/// Two copies of each service on one database: a stack, and a second set whose services call each other.
pub(super) struct Copies {
    pub(super) stack: Stack,
    second: BTreeMap<Service, Replica>,
}

impl Copies {
    pub(super) async fn beside(stack: Stack) -> anyhow::Result<Self> {
        let mut copies = Self { stack, second: BTreeMap::new() };
        for service in Service::ALL {
            let settings: Vec<_> =
                service.callees().iter().map(|(callee, setting)| (*setting, copies.second[callee].url())).collect();
            let copy = copies.stack.replicate(service, &settings).await?;
            copies.second.insert(service, copy);
        }
        Ok(copies)
    }

    /// A client of each gateway.
    pub(super) fn clients(&self) -> [Client; COPIES] {
        [self.stack.client(), self.stack.client_of(self.second[&Service::Gateway].url())]
    }

    pub(super) async fn kill(&mut self, service: Service, copy: usize) -> anyhow::Result<()> {
        if copy == 0 { self.stack.kill(service).await } else { self.replica(service)?.kill().await }
    }

    pub(super) async fn restart(&mut self, service: Service, copy: usize) -> anyhow::Result<()> {
        if copy == 0 { self.stack.restart(service).await } else { self.replica(service)?.restart().await }
    }

    /// The proxy between a copy of a service and one of its peers.
    pub(super) fn proxy(&self, service: Service, copy: usize, peer: Peer) -> anyhow::Result<&Proxy> {
        if copy == 0 { self.stack.proxy(service, peer) } else { self.second[&service].proxy(peer) }
    }

    /// Ends all copies, callers first. Returns their log lines.
    pub(super) async fn end(&mut self) -> anyhow::Result<Vec<Value>> {
        let mut lines = Vec::new();
        for service in Service::ALL.into_iter().rev() {
            self.stack.terminate(service).await?;
            let replica = self.replica(service)?;
            replica.terminate().await?;
            lines.extend(replica.logs());
            lines.extend(self.stack.logs(service));
        }
        Ok(lines)
    }

    fn replica(&mut self, service: Service) -> anyhow::Result<&mut Replica> {
        self.second.get_mut(&service).with_context(|| format!("{service} has no second copy"))
    }
}
