//! Databases on a running server.

use anyhow::Context;
use migrations::Passwords;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use url::Url;
use uuid::Uuid;

/// The variable with the administrator's URL of the server that tests create their databases on.
pub const ENVIRONMENT: &str = "EPRO_TEST_POSTGRES";

const TEMPLATE: &str = "epro_template";

/// A server that databases can be created on. All its login roles have the administrator's password.
#[derive(Debug, Clone)]
pub struct Cluster {
    admin: Url,
}

impl Cluster {
    /// The server behind a URL such as `postgres://postgres:secret@127.0.0.1:5432/postgres`.
    ///
    /// # Errors
    /// When it is not a URL.
    pub fn parse(admin_url: &str) -> anyhow::Result<Self> {
        Ok(Self { admin: Url::parse(admin_url).context("parse the administrator's URL")? })
    }

    /// The server that `EPRO_TEST_POSTGRES` names, with the template in it.
    ///
    /// # Errors
    /// When the variable is missing or not a URL.
    pub fn from_env() -> anyhow::Result<Self> {
        let url = std::env::var(ENVIRONMENT).with_context(|| {
            format!("{ENVIRONMENT} is not set: run the tests with `cargo xtask test`, which starts a Postgres for them")
        })?;
        Self::parse(&url)
    }

    /// The administrator's URL of a database. The database `postgres` always exists.
    pub fn admin_url(&self, database: &str) -> String {
        let mut url = self.admin.clone();
        url.set_path(database);
        url.into()
    }

    /// The URL of a database for a login role.
    pub fn url(&self, role: &str, database: &str) -> String {
        let mut url = self.admin.clone();
        url.set_path(database);
        // This fails only for a URL without a host.
        let _ = url.set_username(role);
        url.into()
    }

    /// Creates the template: a migrated database with the demo's study. Call it once for each server.
    ///
    /// # Errors
    /// When the template exists already or a statement fails.
    pub async fn create_template(&self) -> anyhow::Result<()> {
        self.execute(format!("CREATE DATABASE {TEMPLATE}")).await?;
        let url = self.admin_url(TEMPLATE);
        self.migrate(TEMPLATE).await.context("migrate the template")?;
        migrations::demo::seed(&url).await.context("seed the template")?;
        // Tests submit as fast as they can and expect a message for each report, so the limits for patients are raised.
        let mut template = PgConnection::connect(&url).await.context("connect to the template")?;
        sqlx::query("UPDATE clinical.study SET reports_per_hour = 1000000, told_singly = 1000000")
            .execute(&mut template)
            .await?;
        // A database with open connections cannot be used as a template.
        template.close().await.context("leave the template")
    }

    /// Creates a database from the template, with a unique name.
    ///
    /// # Errors
    /// When there is no template or the server cannot be reached.
    pub async fn create_database(&self) -> anyhow::Result<Database> {
        let database = self.create_from(TEMPLATE).await?;
        let name = &database.name;
        // Privileges on the database itself are not copied from the template. These are the same as in `roles.sql`.
        self.execute(format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC")).await?;
        self.execute(format!("GRANT CONNECT ON DATABASE {name} TO user_svc, data_svc")).await?;
        Ok(database)
    }

    async fn create_from(&self, template: &str) -> anyhow::Result<Database> {
        let name = format!("epro_{}", Uuid::new_v4().simple());
        self.execute(format!("CREATE DATABASE {name} TEMPLATE {template}")).await?;
        Ok(Database { cluster: self.clone(), name })
    }

    async fn migrate(&self, database: &str) -> anyhow::Result<()> {
        let password = self.admin.password().unwrap_or_default().to_owned();
        let passwords = Passwords { user_svc: password.clone(), data_svc: password };
        migrations::run(&self.admin_url(database), &passwords).await
    }

    /// Runs a statement outside any transaction, in the database `postgres`.
    async fn execute(&self, statement: String) -> anyhow::Result<()> {
        let mut connection =
            PgConnection::connect(&self.admin_url("postgres")).await.context("connect as administrator")?;
        let context = statement.clone();
        connection.execute(AssertSqlSafe(statement)).await.context(context)?;
        connection.close().await?;
        Ok(())
    }
}

/// The database of one stack.
#[derive(Debug, Clone)]
pub struct Database {
    cluster: Cluster,
    pub name: String,
}

impl Database {
    pub fn admin_url(&self) -> String {
        self.cluster.admin_url(&self.name)
    }

    /// The URL for a login role: `user_svc` or `data_svc`.
    pub fn url(&self, role: &str) -> String {
        self.cluster.url(role, &self.name)
    }

    /// A superuser connection, to inspect and to damage data.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn connect(&self) -> anyhow::Result<PgConnection> {
        PgConnection::connect(&self.admin_url()).await.with_context(|| format!("connect to {}", self.name))
    }

    /// A connection with the rights of a service: `user_svc` or `data_svc`.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn connect_as(&self, role: &str) -> anyhow::Result<PgConnection> {
        PgConnection::connect(&self.url(role)).await.with_context(|| format!("connect to {} as {role}", self.name))
    }

    /// An empty database on the same server.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn create_empty(&self) -> anyhow::Result<Self> {
        self.cluster.create_from("template0").await
    }

    /// Runs the migration job. Also needed after every restore, because a dump has no privileges on the database
    /// itself.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        self.cluster.migrate(&self.name).await
    }

    /// Drops the database and cuts its connections.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn drop(&self) -> anyhow::Result<()> {
        self.cluster.execute(format!("DROP DATABASE {} WITH (FORCE)", self.name)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_differ_in_role_and_database_alone() -> anyhow::Result<()> {
        let cluster = Cluster::parse("postgres://postgres:secret@127.0.0.1:54321/postgres")?;
        assert_eq!(cluster.admin_url("epro"), "postgres://postgres:secret@127.0.0.1:54321/epro");
        assert_eq!(cluster.url("data_svc", "epro"), "postgres://data_svc:secret@127.0.0.1:54321/epro");
        Ok(())
    }
}
