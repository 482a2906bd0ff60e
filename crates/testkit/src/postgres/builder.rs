//! The settings of a server.

use std::path::PathBuf;

use super::account::Account;
use super::binaries::find_or_fetch;
use super::server::Postgres;

/// Settings of a server before its start.
#[derive(Debug, Clone)]
pub struct Builder {
    pub(super) fsync: bool,
    pub(super) max_connections: u16,
    pub(super) tls: bool,
    binaries: Option<PathBuf>,
}

impl Default for Builder {
    fn default() -> Self {
        Self { fsync: true, max_connections: 400, tls: false, binaries: None }
    }
}

impl Builder {
    /// Whether commits survive a crash of the machine, as opposed to one of the server. On unless
    /// switched off, which is for tests and demos only. `synchronous_commit` is always on.
    #[must_use]
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.fsync = fsync;
        self
    }

    /// 400 unless set.
    #[must_use]
    pub fn max_connections(mut self, max_connections: u16) -> Self {
        self.max_connections = max_connections;
        self
    }

    /// TLS for those who ask for it, with a certificate that the cluster's URLs demand to see.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// The folder of `initdb` and `postgres`. Else those installed; where there are none they are fetched.
    #[must_use]
    pub fn binaries(mut self, folder: impl Into<PathBuf>) -> Self {
        self.binaries = Some(folder.into());
        self
    }

    /// Creates an empty cluster in a temporary folder and starts a server on it, on a free port of
    /// 127.0.0.1.
    ///
    /// # Errors
    /// When there is no server to run, or it does not start; the message has its log.
    pub async fn start(mut self) -> anyhow::Result<Postgres> {
        let account = Account::choose()?;
        let binaries = match self.binaries.take() {
            Some(folder) => folder,
            None => find_or_fetch(account).await?,
        };
        Postgres::launch(self, account, binaries).await
    }
}
