//! A service's own database: settings, pool, and errors that never quote a value.

use std::fmt;
use std::time::Duration;

use proto::{DomainError, ErrorKind};
use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;
use telemetry::postgres::{Db, PoolLimits};

/// The `database:` block.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `postgres://role:password@host:port/database`
    pub url: String,
    /// Connections at most, of this copy of the service.
    pub max_connections: u32,
    /// How long a request waits for a free connection.
    #[serde(with = "humantime_serde")]
    pub acquire_timeout: Duration,
    /// How long one statement may run.
    #[serde(with = "humantime_serde")]
    pub statement_timeout: Duration,
}

/// A pool for the database; it connects when it is first used.
///
/// # Errors
/// When the URL is none.
pub fn open(config: &Config) -> anyhow::Result<Db> {
    // The parser's own error could quote the URL, and the URL holds the password.
    let options: PgConnectOptions =
        config.url.parse().map_err(|_| anyhow::anyhow!("database.url is no postgres URL"))?;
    let options = options.options([("statement_timeout", config.statement_timeout.as_millis().to_string())]);
    let limits = PoolLimits { max_connections: config.max_connections, acquire_timeout: config.acquire_timeout };
    Ok(Db::new(options, limits))
}

/// A statement that failed. Its text is the kind of failure, never the server's words: those quote
/// the values of the row they complain about.
#[derive(Debug)]
pub struct StoreError(sqlx::Error);

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self(error)
    }
}

impl StoreError {
    /// Whether the database could not be reached, as against a statement it refused.
    fn is_outage(&self) -> bool {
        match &self.0 {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            // Connection exceptions, lack of resources, shutdown and start-up (PostgreSQL, appendix A).
            sqlx::Error::Database(error) => {
                error.code().is_some_and(|code| ["08", "53", "57P"].iter().any(|class| code.starts_with(class)))
            }
            _ => false,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            sqlx::Error::Database(error) => {
                write!(f, "the database answered {}", error.code().unwrap_or_default())?;
                error.constraint().map_or(Ok(()), |constraint| write!(f, " on {constraint}"))
            }
            sqlx::Error::PoolTimedOut => write!(f, "no database connection was free in time"),
            sqlx::Error::Io(error) => write!(f, "the database cannot be reached: {}", error.kind()),
            _ if self.is_outage() => write!(f, "the database cannot be reached"),
            sqlx::Error::ColumnDecode { index, .. } => write!(f, "column {index} does not hold what it should"),
            _ => write!(f, "the database was not used as it should be"),
        }
    }
}

impl std::error::Error for StoreError {}

impl DomainError for StoreError {
    fn kind(&self) -> ErrorKind {
        if self.is_outage() { ErrorKind::Unavailable } else { ErrorKind::Internal }
    }

    fn reason(&self) -> &'static str {
        if self.is_outage() { "database-unavailable" } else { "database-error" }
    }
}
