//! A private Postgres, and databases for stacks.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use testkit::postgres::Postgres;
//!
//! let postgres = Postgres::builder().fsync(false).start().await?;
//! postgres.cluster().create_template().await?;
//! let database = postgres.cluster().create_database().await?;
//! println!("psql {}", database.admin_url());
//! # Ok(())
//! # }
//! ```

mod account;
mod backup;
mod binaries;
mod builder;
mod cluster;
mod server;

pub use builder::Builder;
pub use cluster::{Cluster, Database, ENVIRONMENT};
pub use server::Postgres;
