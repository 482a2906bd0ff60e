//! The settings of a server before its start.

use std::path::PathBuf;

use super::account::Account;
use super::binaries::find_or_fetch;
use super::server::Postgres;

/// The settings of a server before its start.
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
    /// Whether commits survive a crash of the machine. They always survive a crash of the server, because
    /// `synchronous_commit` is on. The default is true; turn it off only for tests and demos.
    #[must_use]
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.fsync = fsync;
        self
    }

    /// The default is 400.
    #[must_use]
    pub fn max_connections(mut self, max_connections: u16) -> Self {
        self.max_connections = max_connections;
        self
    }

    /// Offers TLS. The cluster's URLs then require TLS and verify the certificate.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// The folder of `initdb` and `postgres`. By default installed ones are used, or downloaded ones if there are none.
    #[must_use]
    pub fn binaries(mut self, folder: impl Into<PathBuf>) -> Self {
        self.binaries = Some(folder.into());
        self
    }

    /// Creates an empty cluster in a temporary folder and starts a server on it, on a free port of
    /// 127.0.0.1.
    ///
    /// # Errors
    /// When there are no binaries, or the server does not start. The message has its log.
    pub async fn start(mut self) -> anyhow::Result<Postgres> {
        let account = Account::choose()?;
        let binaries = match self.binaries.take() {
            Some(folder) => folder,
            None => find_or_fetch(account).await?,
        };
        Postgres::launch(self, account, binaries).await
    }
}
