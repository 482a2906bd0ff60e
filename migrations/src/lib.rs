//! The schema of the database: roles, schemas and forward-only migrations. The owner of a schema runs its migrations.
//!
//! `identity/` and `clinical/` hold the migrations. The job also stores the names of the time zones that the services
//! know. [`demo`] holds the data that the demo, the compose stack and the tests start from. [`purge()`] deletes a
//! study. The services never run any of this.

#![expect(clippy::disallowed_methods, reason = "a one-shot job, not part of any trace")]

pub mod demo;
mod purge;
mod zones;

use anyhow::Context;
use sqlx::migrate::Migrator;
use sqlx::{Connection, Executor, PgConnection};

pub use purge::{Purged, purge};

static IDENTITY: Migrator = sqlx::migrate!("./identity");
static CLINICAL: Migrator = sqlx::migrate!("./clinical");

/// Passwords of the two login roles.
#[derive(Clone)]
pub struct Passwords {
    /// Of `user_svc`.
    pub user_svc: String,
    /// Of `data_svc`.
    pub data_svc: String,
}

/// Brings the database at `admin_url` to the current schema. It is safe to run it again.
///
/// `admin_url` names a role that may create roles and schemas.
///
/// # Errors
/// When the database cannot be reached or a statement fails. Migrations that ran before stay applied.
pub async fn run(admin_url: &str, passwords: &Passwords) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(admin_url).await.context("connect as administrator")?;
    connection.execute(include_str!("../roles.sql")).await.context("create roles and schemas")?;
    for (role, password) in [("user_svc", &passwords.user_svc), ("data_svc", &passwords.data_svc)] {
        set_password(&mut connection, role, password).await?;
    }
    migrate(&mut connection, "identity", &IDENTITY).await?;
    migrate(&mut connection, "clinical", &CLINICAL).await?;
    act_as(&mut connection, "clinical").await?;
    zones::store(&mut connection).await.context("store the time zones")?;
    connection.close().await?;
    Ok(())
}

/// Runs one schema's migrations as that schema's owner. The table of applied migrations is in the schema itself.
async fn migrate(connection: &mut PgConnection, schema: &str, migrator: &Migrator) -> anyhow::Result<()> {
    act_as(connection, schema).await?;
    migrator.run(&mut *connection).await.with_context(|| format!("migrate schema {schema}"))?;
    connection.execute("RESET ROLE; RESET search_path").await?;
    Ok(())
}

async fn act_as(connection: &mut PgConnection, schema: &str) -> anyhow::Result<()> {
    sqlx::query("SELECT set_config('role', $1 || '_owner', false), set_config('search_path', $1, false)")
        .bind(schema)
        .execute(connection)
        .await
        .with_context(|| format!("act as the owner of schema {schema}"))?;
    Ok(())
}

async fn set_password(connection: &mut PgConnection, role: &str, password: &str) -> anyhow::Result<()> {
    // ALTER ROLE accepts no parameters, so the server quotes the literal.
    let statement: String = sqlx::query_scalar("SELECT format('ALTER ROLE %I PASSWORD %L', $1, $2)")
        .bind(role)
        .bind(password)
        .fetch_one(&mut *connection)
        .await?;
    connection.execute(sqlx::AssertSqlSafe(statement)).await.with_context(|| format!("set the password of {role}"))?;
    Ok(())
}
