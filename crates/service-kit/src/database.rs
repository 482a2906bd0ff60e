//! A service's own database: settings, pool, and errors that never quote a value.

use std::fmt;
use std::time::Duration;

use crate::error::{DomainError, ErrorKind, Reason};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;
use sqlx::postgres::types::PgInterval;
use telemetry::postgres::{Db, PoolLimits};

/// The `database:` block.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `postgres://role:password@host:port/database`, with `?sslmode=verify-full&sslrootcert=file` for TLS.
    pub url: SecretString,
    /// Most connections of this copy of the service.
    pub max_connections: u32,
    /// How long a request waits for a free connection.
    #[serde(with = "humantime_serde")]
    pub acquire_timeout: Duration,
    /// How long one statement may run.
    #[serde(with = "humantime_serde")]
    pub statement_timeout: Duration,
}

/// How much longer than the server's own limit the client waits, so that a slow statement can be told from a silent
/// network.
const GRACE: Duration = Duration::from_millis(500);

/// Creates a pool for the database. It connects when it is first used.
///
/// # Errors
/// When the URL is invalid.
pub fn open(config: &Config) -> anyhow::Result<Db> {
    // The parser's own error could quote the URL, which contains the password.
    let options: PgConnectOptions =
        config.url.expose_secret().parse().map_err(|_| anyhow::anyhow!("database.url is no postgres URL"))?;
    let timeout = config.statement_timeout.as_millis().to_string();
    let options = options.options([
        ("statement_timeout", timeout.as_str()),
        // Every statement of a service finds its rows by an index. Plans are cached, often while the tables are small
        // and a sequential scan is cheap. Such a plan would be slow once the tables are large.
        ("enable_seqscan", "off"),
        // The cost of a plan that needs a sequential scan is then so high that Postgres would compile the plan.
        ("jit", "off"),
        // Ends the open transaction of a service that has lost its network, and so releases its locks.
        ("idle_in_transaction_session_timeout", timeout.as_str()),
        // Ends the connections of such a service, too. Its own side of them is checked by the pool.
        ("tcp_keepalives_idle", "10"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "25000"),
    ]);
    let limits = PoolLimits {
        max_connections: config.max_connections,
        acquire_timeout: config.acquire_timeout,
        statement_timeout: config.statement_timeout + GRACE,
    };
    Ok(Db::new(options, limits))
}

/// A statement that failed. Its text is the kind of failure, never the server's message, because that quotes the values
/// of the row that it is about.
#[derive(Debug)]
pub struct StoreError(sqlx::Error);

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self(error)
    }
}

impl StoreError {
    /// Classes of PostgreSQL's SQLSTATE (appendix A) which mean that a later try may succeed.
    const UNAVAILABLE: [&str; 6] = [
        "08",    // connection exceptions
        "25P03", // the session was ended, because its transaction was idle for too long
        "40",    // deadlocks and serialization failures
        "53",    // lack of resources
        "55P",   // a lock that was not available
        "57P",   // shutdown and start-up
    ];
    /// A statement that exceeded its time limit, usually while it waited for a lock.
    const QUERY_CANCELED: &str = "57014";

    fn kind_of(sqlstate: &str) -> ErrorKind {
        if sqlstate == Self::QUERY_CANCELED {
            ErrorKind::Timeout
        } else if Self::UNAVAILABLE.iter().any(|class| sqlstate.starts_with(class)) {
            ErrorKind::Unavailable
        } else {
            ErrorKind::Internal
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
            // The error is about TLS or about the files that the URL names, so it contains no value of a row.
            sqlx::Error::Tls(error) => write!(f, "the database cannot be reached over TLS: {error}"),
            sqlx::Error::ColumnDecode { index, .. } => write!(f, "column {index} has an unexpected value"),
            _ if self.kind() == ErrorKind::Unavailable => write!(f, "the database cannot be reached"),
            _ => write!(f, "the database was used incorrectly"),
        }
    }
}

impl std::error::Error for StoreError {}

impl DomainError for StoreError {
    fn reason(&self) -> Reason {
        Reason::Other(match &self.0 {
            sqlx::Error::Database(error) => error.code().map_or(ErrorKind::Internal, |code| Self::kind_of(&code)),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => ErrorKind::Unavailable,
            _ => ErrorKind::Internal,
        })
    }
}

/// Whether a statement exceeded its time limit.
pub fn timed_out(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some(StoreError::QUERY_CANCELED))
}

/// A duration as a Postgres interval.
pub fn interval(duration: Duration) -> PgInterval {
    // The limit of 64-bit microseconds, 292,000 years, is far longer than any wait here.
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlstate_says_whether_later_it_may_work() {
        for (sqlstate, kind) in [
            ("08006", ErrorKind::Unavailable),
            ("25P03", ErrorKind::Unavailable),
            ("40P01", ErrorKind::Unavailable),
            ("57P01", ErrorKind::Unavailable),
            ("57014", ErrorKind::Timeout),
            ("25P02", ErrorKind::Internal),
            ("23514", ErrorKind::Internal),
        ] {
            assert_eq!(StoreError::kind_of(sqlstate), kind, "{sqlstate}");
        }
    }

    #[test]
    fn debugged_settings_do_not_show_the_password() {
        let config = Config {
            url: "postgres://data_svc:open-sesame@127.0.0.1/epro".into(),
            max_connections: 1,
            acquire_timeout: Duration::ZERO,
            statement_timeout: Duration::ZERO,
        };
        let debugged = format!("{config:?}");
        assert!(!debugged.contains("open-sesame"), "{debugged}");
    }
}
