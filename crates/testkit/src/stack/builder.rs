//! Settings of a stack before its start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::{Service, Sinks, Stack};
use crate::postgres::Cluster;
use crate::{otlp, sms, smtp};

/// The gateway's rate limits that many patients at one address would reach.
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

/// The settings of a stack. What is not set is private to the stack.
#[derive(Debug, Default)]
pub struct Builder {
    pub(super) environment: Vec<(Option<Service>, String, String)>,
    ports: BTreeMap<Service, u16>,
    cluster: Option<Cluster>,
    receiver: Option<otlp::Receiver>,
    binaries: Option<PathBuf>,
    pub(super) proxied: bool,
    /// The number of copies of each service in addition to the first.
    pub(super) further: usize,
}

impl Builder {
    /// The server to create a database on. The default is the one in `EPRO_TEST_POSTGRES`.
    #[must_use]
    pub fn cluster(mut self, cluster: Cluster) -> Self {
        self.cluster = Some(cluster);
        self
    }

    /// The receiver of the services' spans, for example one that forwards them.
    #[must_use]
    pub fn receiver(mut self, receiver: otlp::Receiver) -> Self {
        self.receiver = Some(receiver);
        self
    }

    /// A fixed port of 127.0.0.1 for one service. The default is any free one.
    #[must_use]
    pub fn port(mut self, service: Service, port: u16) -> Self {
        self.ports.insert(service, port);
        self
    }

    /// An environment variable of one service. It overrides the stack's own settings.
    #[must_use]
    pub fn env(mut self, service: Service, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((Some(service), name.to_owned(), value.into()));
        self
    }

    /// An environment variable of every service. It overrides the stack's own settings.
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

    /// Puts a proxy in front of every connection that the services open: see [`Stack::proxy`].
    #[must_use]
    pub fn proxied(mut self) -> Self {
        self.proxied = true;
        self
    }

    /// Runs this many copies of each service. All copies of a caller call all copies of a callee.
    #[must_use]
    pub fn copies(mut self, copies: usize) -> Self {
        self.further = copies.saturating_sub(1);
        self
    }

    /// The folder of the services' binaries. The default is `EPRO_BIN_DIR`, or else the folder where this executable
    /// was built.
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

    /// The environment of one service, without the addresses of its callees.
    pub(super) fn environment(&self, service: Service, sinks: &Sinks) -> BTreeMap<String, String> {
        let mut environment = service.settings(sinks);
        let port = self.ports.get(&service).copied().unwrap_or_default();
        environment.insert("EPRO_LISTEN".to_owned(), format!("127.0.0.1:{port}"));
        environment
    }

    /// The variables that were set for one service; later calls override earlier ones.
    pub(super) fn overrides(&self, service: Service) -> BTreeMap<String, String> {
        let applies = |(to, ..): &&(Option<Service>, String, String)| to.is_none_or(|to| to == service);
        self.environment.iter().filter(applies).map(|(_, name, value)| (name.clone(), value.clone())).collect()
    }
}

/// The nearest folder that has every binary, from the current executable's folder upwards: a test runs in
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
