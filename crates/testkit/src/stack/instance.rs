//! One copy of a service, running or stopped.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;
use serde_json::Value;

use super::log::Log;
use super::network::Network;
use super::process::Process;
use super::{Peer, Service};
use crate::proxy::Proxy;

/// The setting that makes the gateway speak TLS.
pub(super) const CERTIFICATE: &str = "EPRO_TLS__CERTIFICATE";

/// A service with everything needed to start it again.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) service: Service,
    pub(super) program: PathBuf,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) network: Network,
    pub(super) log: Arc<Log>,
    pub(super) address: SocketAddr,
    pub(super) process: Option<Process>,
}

impl Instance {
    pub(super) async fn start(
        service: Service,
        program: PathBuf,
        mut environment: BTreeMap<String, String>,
        network: Network,
    ) -> anyhow::Result<Self> {
        let log = Arc::new(Log::default());
        let (process, address) = Process::start(&program, &through(&network, &environment), &log).await?;
        // The port is fixed from now on, for restarts and for sub-commands.
        environment.insert("EPRO_LISTEN".to_owned(), address.to_string());
        Ok(Self { service, program, environment, network, log, address, process: Some(process) })
    }

    /// Only the gateway can be reached without TLS.
    pub(super) fn url(&self) -> String {
        let in_cleartext = self.service == Service::Gateway && !self.environment.contains_key(CERTIFICATE);
        let scheme = if in_cleartext { "http" } else { "https" };
        format!("{scheme}://{}", self.address)
    }

    /// Starts it on the same port as before.
    pub(super) async fn start_again(&mut self) -> anyhow::Result<()> {
        let environment = through(&self.network, &self.environment);
        let (process, _) = Process::start(&self.program, &environment, &self.log).await?;
        self.process = Some(process);
        Ok(())
    }

    pub(super) async fn end(&mut self, signal: Signal) -> anyhow::Result<ExitStatus> {
        let process = self.process.take().context("the service does not run")?;
        process.end(signal).await.with_context(|| format!("the last lines:\n{}", self.log))
    }
}

/// The environment of a process whose connections go through proxies.
fn through(network: &Network, environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut environment = environment.clone();
    environment.extend(network.settings().clone());
    environment
}

/// One more copy of a service. Dropping it ends the copy.
#[derive(Debug)]
pub struct Replica(pub(super) Instance);

impl Replica {
    /// Its base URL.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Waits for a log line; see [`Stack::wait_for_log`].
    ///
    /// # Errors
    /// When the deadline passes first. The message has the last lines.
    pub async fn wait_for_log(&self, deadline: Duration, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        self.0.log.wait_for(deadline, wanted).await
    }

    /// See [`Stack::proxy`].
    ///
    /// # Errors
    /// When there is no proxy.
    pub fn proxy(&self, peer: Peer) -> anyhow::Result<&Proxy> {
        self.0.network.to(peer)
    }

    /// Its log lines, over its restarts.
    pub fn logs(&self) -> Vec<Value> {
        self.0.log.all()
    }

    /// Kills it at once, as a crash would.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.0.end(Signal::KILL).await.map(drop)
    }

    /// Starts it again, on its old port.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.0.start_again().await.with_context(|| format!("restart {}", self.0.service))
    }

    /// Asks it to end, and waits for it.
    ///
    /// # Errors
    /// When it still runs after 30 s.
    pub async fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        self.0.end(Signal::TERM).await
    }
}
