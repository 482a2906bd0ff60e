//! The five services as processes, with everything they need.

mod builder;
mod copies;
mod instance;
mod lifecycle;
mod log;
mod mesh;
mod network;
mod operations;
mod process;
mod service;
mod sidecar;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::client::{Client, Operations};
use crate::postgres::Database;
use crate::proxy::Proxy;
use crate::{otlp, sms, smtp};
use instance::Instance;
use mesh::Mesh;
use network::Network;

pub use builder::Builder;
pub use instance::Replica;
pub use log::Logs;
pub(crate) use log::{in_order, of_trace};
pub use service::{Peer, Service};
pub use sidecar::Sidecar;

/// The most time from the gateway's start to its readiness.
const READY_DEADLINE: Duration = Duration::from_secs(20);
const READY_POLL: Duration = Duration::from_millis(10);

/// A running stack. Dropping it ends everything.
#[derive(Debug)]
pub struct Stack {
    // Dropped before the sinks, so that the services end before their database and ports.
    instances: BTreeMap<Service, Instance>,
    /// The copies in addition to the first.
    further: BTreeMap<Service, Vec<Replica>>,
    proxied: bool,
    sinks: Sinks,
    mesh: Mesh,
    operations: Arc<Operations>,
}

/// The test doubles and the database that the services use.
#[derive(Debug)]
pub struct Sinks {
    pub otlp: otlp::Receiver,
    pub sms: sms::Sink,
    pub smtp: smtp::Sink,
    pub database: Database,
}

/// Gives access to the sinks: `stack.sms.accepted()`.
impl std::ops::Deref for Stack {
    type Target = Sinks;

    fn deref(&self) -> &Sinks {
        &self.sinks
    }
}

impl std::ops::DerefMut for Stack {
    fn deref_mut(&mut self) -> &mut Sinks {
        &mut self.sinks
    }
}

impl Stack {
    /// Starts with settings such as ports.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A stack on free ports, in a database of its own on the Postgres that `EPRO_TEST_POSTGRES` names.
    ///
    /// # Errors
    /// See [`Builder::start`].
    pub async fn start() -> anyhow::Result<Self> {
        Self::builder().start().await
    }

    async fn launch(sinks: Sinks, binaries: PathBuf, builder: &Builder) -> anyhow::Result<Self> {
        let mesh = Mesh::new()?;
        let mut stack = Self {
            instances: BTreeMap::new(),
            further: BTreeMap::new(),
            proxied: builder.proxied,
            sinks,
            mesh,
            operations: operations::read(&binaries).await?,
        };
        for service in Service::ALL {
            let environment = stack.environment(service, builder);
            let network = stack.network(service, &environment).await?;
            let instance = Instance::start(service, binaries.join(service.name()), environment, network).await?;
            stack.instances.insert(service, instance);
            for _ in 0..builder.further {
                let copy = stack.replicate(service, &[]).await?;
                stack.further.entry(service).or_default().push(copy);
            }
        }
        stack.wait_until_ready().await?;
        Ok(stack)
    }

    fn environment(&self, service: Service, builder: &Builder) -> BTreeMap<String, String> {
        let mut environment = builder.environment(service, &self.sinks);
        environment.extend(self.mesh.environment(service));
        for (callee, setting) in service.callees() {
            environment.insert((*setting).to_owned(), self.urls(*callee));
        }
        environment.extend(builder.overrides(service));
        environment
    }

    async fn network(&self, service: Service, environment: &BTreeMap<String, String>) -> anyhow::Result<Network> {
        if self.proxied { Network::before(service, environment).await } else { Ok(Network::default()) }
    }

    /// The proxy between a service and one of its peers, if the stack is [`Builder::proxied`].
    ///
    /// # Errors
    /// When there is no proxy.
    pub fn proxy(&self, service: Service, peer: Peer) -> anyhow::Result<&Proxy> {
        self.instances[&service].network.to(peer).with_context(|| service.to_string())
    }

    /// The certificate of the authority that the services trust, in PEM.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn ca(&self) -> anyhow::Result<Vec<u8>> {
        self.mesh.ca()
    }

    /// Gives every service a new certificate of a new authority.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn renew_certificates(&self) -> anyhow::Result<()> {
        self.mesh.certify()
    }

    /// Waits until the gateway reports that it is ready, for example after a restart.
    ///
    /// # Errors
    /// When it is not ready within 20 s. The message has its last answer and log lines.
    pub async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let client = match self.instances[&Service::Gateway].environment.get(instance::CERTIFICATE) {
            Some(file) => Client::trusting(self.url(Service::Gateway), &std::fs::read(file)?)?,
            None => self.client(),
        };
        let mut last = String::from("no answer");
        let ready = async {
            loop {
                match client.get("/readyz", None).await {
                    Ok(response) if response.status == 200 => return,
                    Ok(response) => last = response.status.to_string(),
                    Err(error) => last = format!("{error:#}"),
                }
                sleep(READY_POLL).await;
            }
        };
        let ready = timeout(READY_DEADLINE, ready).await;
        if ready.is_err() {
            let log = &self.instances[&Service::Gateway].log;
            bail!("the gateway is not ready after {READY_DEADLINE:?} ({last}); its last lines:\n{log}");
        }
        Ok(())
    }

    /// A client of the gateway. If the gateway serves TLS, use [`Client::trusting`].
    pub fn client(&self) -> Client {
        self.client_of(self.url(Service::Gateway))
    }

    /// A client of one copy of the gateway.
    pub(crate) fn client_of(&self, url: String) -> Client {
        Client::new(url).holding(Arc::clone(&self.operations))
    }

    /// The address of a service.
    pub fn address(&self, service: Service) -> SocketAddr {
        self.instances[&service].address
    }

    /// A service's base URL, HTTP for the gateway and gRPC over mutual TLS for the others.
    pub fn url(&self, service: Service) -> String {
        self.instances[&service].url()
    }

    fn instance_mut(&mut self, service: Service) -> anyhow::Result<&mut Instance> {
        self.instances.get_mut(&service).with_context(|| format!("{service} was never started"))
    }

    /// Runs a sub-command of a service's program, with the service's settings, and waits for its exit.
    ///
    /// # Errors
    /// When it cannot be started, or does not end within a minute. An exit code other than 0 is no error.
    pub async fn command(&self, service: Service, arguments: &[&str]) -> anyhow::Result<Output> {
        let instance = &self.instances[&service];
        process::run(&instance.program, arguments, &instance.environment).await
    }

    /// A service's log lines, including those from before restarts.
    pub fn logs(&self, service: Service) -> Vec<Value> {
        self.instances[&service].log.all()
    }

    /// The log lines of all services.
    pub fn all_logs(&self) -> Logs {
        let further = self.further.values().flatten().map(|replica| &replica.0);
        Logs(self.instances.values().chain(further).map(|instance| Arc::clone(&instance.log)).collect())
    }

    /// Waits for a log line. Lines from before the call count too.
    ///
    /// # Errors
    /// When the deadline passes first. The message has the last lines.
    pub async fn wait_for_log(
        &self,
        service: Service,
        deadline: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        self.instances[&service].log.wait_for(deadline, wanted).await.with_context(|| service.to_string())
    }
}

#[cfg(test)]
mod tests;
