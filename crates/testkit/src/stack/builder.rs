//! Choices before the start of a stack.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::{Service, Sinks, Stack};
use crate::postgres::Cluster;
use crate::{otlp, sms, smtp};

/// Limits of the gateway's that many patients at one address would meet.
const LIMITS: [&str; 10] = [
    "ADDRESS__LOGINS__PER_MINUTE",
    "ADDRESS__LOGINS__BURST",
    "ADDRESS__STRANGERS__PER_MINUTE",
    "ADDRESS__STRANGERS__BURST",
    "ALL_LOGINS__PER_SECOND",
    "ALL_LOGINS__BURST",
    "ACCESS_TOKEN__PER_SECOND",
    "ACCESS_TOKEN__BURST",
    "PERSON__PER_SECOND",
    "PERSON__BURST",
];
const UNLIMITED: &str = "1000000";

/// What a stack is made of; what is not chosen is private to the stack.
#[derive(Debug, Default)]
pub struct Builder {
    pub(super) environment: Vec<(Option<Service>, String, String)>,
    ports: BTreeMap<Service, u16>,
    cluster: Option<Cluster>,
    receiver: Option<otlp::Receiver>,
    binaries: Option<PathBuf>,
    pub(super) proxied: bool,
    /// Copies of each service beside the first.
    pub(super) further: usize,
}

impl Builder {
    /// The Postgres to create a database in; else the one that `EPRO_TEST_POSTGRES` names.
    #[must_use]
    pub fn cluster(mut self, cluster: Cluster) -> Self {
        self.cluster = Some(cluster);
        self
    }

    /// The receiver of the services' spans, such as one that forwards them.
    #[must_use]
    pub fn receiver(mut self, receiver: otlp::Receiver) -> Self {
        self.receiver = Some(receiver);
        self
    }

    /// A fixed port of 127.0.0.1 for one service; else any free one.
    #[must_use]
    pub fn port(mut self, service: Service, port: u16) -> Self {
        self.ports.insert(service, port);
        self
    }

    /// An environment variable of one service. It wins over the stack's own settings.
    #[must_use]
    pub fn env(mut self, service: Service, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((Some(service), name.to_owned(), value.into()));
        self
    }

    /// An environment variable of every service. It wins over the stack's own settings.
    #[must_use]
    pub fn env_all(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((None, name.to_owned(), value.into()));
        self
    }

    /// Lets many patients log in and submit from one address, as fast as they can.
    #[must_use]
    pub fn without_rate_limits(mut self) -> Self {
        for limit in LIMITS {
            self = self.env(Service::Gateway, &format!("EPRO_RATE_LIMITS__{limit}"), UNLIMITED);
        }
        self
    }

    /// A proxy before every connection that the services open, so that it can fall silent: [`Stack::proxy`].
    #[must_use]
    pub fn proxied(mut self) -> Self {
        self.proxied = true;
        self
    }

    /// So many copies of each service, each of which is called by all copies of its callers.
    #[must_use]
    pub fn copies(mut self, copies: usize) -> Self {
        self.further = copies.saturating_sub(1);
        self
    }

    /// The folder of the services' binaries; else `EPRO_BIN_DIR`, else where this executable was built.
    #[must_use]
    pub fn binaries(mut self, folder: impl Into<PathBuf>) -> Self {
        self.binaries = Some(folder.into());
        self
    }

    /// Starts the services and waits until the gateway is ready.
    ///
    /// # Errors
    /// When a binary is missing, a service does not start (the message has its last log lines), or the
    /// gateway is not ready in time.
    pub async fn start(mut self) -> anyhow::Result<Stack> {
        let binaries = match self.binaries.take() {
            Some(folder) => folder,
            None => find_binaries()?,
        };
        let cluster = match self.cluster.take() {
            Some(cluster) => cluster,
            None => Cluster::from_env()?,
        };
        let otlp = match self.receiver.take() {
            Some(receiver) => receiver,
            None => otlp::Receiver::start().await?,
        };
        let sinks = Sinks {
            otlp,
            sms: sms::Sink::start().await?,
            smtp: smtp::Sink::start().await?,
            database: cluster.create_database().await?,
        };
        Stack::launch(sinks, binaries, &self).await
    }

    /// The environment of one service, its callees aside.
    pub(super) fn environment(&self, service: Service, sinks: &Sinks) -> BTreeMap<String, String> {
        let mut environment = service.settings(sinks);
        let port = self.ports.get(&service).copied().unwrap_or_default();
        environment.insert("EPRO_LISTEN".to_owned(), format!("127.0.0.1:{port}"));
        environment
    }

    /// What was set by hand for one service, later calls last.
    pub(super) fn overrides(&self, service: Service) -> BTreeMap<String, String> {
        let applies = |(to, ..): &&(Option<Service>, String, String)| to.is_none_or(|to| to == service);
        self.environment.iter().filter(applies).map(|(_, name, value)| (name.clone(), value.clone())).collect()
    }
}

/// The first folder that has every binary, from the current executable's upward: a test runs in
/// `target/debug/deps`, a tool in `target/debug`.
fn find_binaries() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("EPRO_BIN_DIR") {
        return Ok(folder.into());
    }
    let executable = std::env::current_exe().context("find the current executable")?;
    let is_complete = |folder: &&Path| Service::ALL.iter().all(|service| folder.join(service.name()).is_file());
    let found = executable.ancestors().skip(1).take(3).find(is_complete);
    ensure!(
        found.is_some(),
        "the services' binaries are not beside {}; run `cargo build --workspace` in the same profile, or set EPRO_BIN_DIR",
        executable.display()
    );
    Ok(found.map(Path::to_owned).unwrap_or_default())
}
