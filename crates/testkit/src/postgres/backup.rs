//! Dumps a database and restores it, as operators do.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use super::cluster::Database;

const DEADLINE: Duration = Duration::from_mins(2);

impl Database {
    /// Whether `pg_dump` and `pg_restore` are installed; a server may be installed without them.
    pub fn can_be_dumped() -> bool {
        ["pg_dump", "pg_restore"].iter().all(|program| {
            let version = std::process::Command::new(program).arg("--version").stdout(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        })
    }

    /// Writes a consistent dump to a file while others use the database.
    ///
    /// # Errors
    /// When it fails, or takes more than two minutes.
    pub async fn dump(&self, file: &Path) -> anyhow::Result<()> {
        let mut command = Command::new("pg_dump");
        run(command.args(["--format=custom", "--dbname"]).arg(self.admin_url()).arg("--file").arg(file)).await
    }

    /// Restores a dump into this database, which must be empty.
    ///
    /// # Errors
    /// When it fails, or takes more than two minutes.
    pub async fn restore(&self, file: &Path) -> anyhow::Result<()> {
        let mut command = Command::new("pg_restore");
        run(command.args(["--exit-on-error", "--dbname"]).arg(self.admin_url()).arg(file)).await
    }
}

async fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(DEADLINE, output).await.context("it does not end")?.context("start")?;
    ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    Ok(())
}
