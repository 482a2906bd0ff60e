//! A private Postgres server as a process.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use certificates::Files;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::sleep;
use uuid::Uuid;

use super::account::Account;
use super::builder::Builder;
use super::cluster::Cluster;
use crate::reaper::Reaper;

const START_DEADLINE: Duration = Duration::from_secs(30);
const STOP_DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
/// Another process may take the chosen port before the server starts.
const PORT_ATTEMPTS: usize = 10;

/// A running server with its data. Dropping it kills the server and removes the data.
#[derive(Debug)]
pub struct Postgres {
    settings: Builder,
    account: Account,
    binaries: PathBuf,
    port: u16,
    password: String,
    server: Option<Child>,
    reaper: Option<Reaper>,
    // The last field, so that it is dropped after the server.
    folder: TempDir,
}

impl Postgres {
    /// Starts with settings such as `fsync`.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A server with the default settings.
    ///
    /// # Errors
    /// See [`Builder::start`].
    pub async fn start() -> anyhow::Result<Self> {
        Self::builder().start().await
    }

    /// See [`Builder::start`].
    pub(super) async fn launch(settings: Builder, account: Account, binaries: PathBuf) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("epro-postgres-").tempdir()?;
        account.own(folder.path())?;
        let password = Uuid::new_v4().simple().to_string();
        let mut postgres = Self { settings, account, binaries, port: 0, password, server: None, reaper: None, folder };
        postgres.initialize().await?;
        if postgres.settings.tls {
            postgres.certify()?;
        }
        postgres.start_on_free_port().await?;
        Ok(postgres)
    }

    /// The server, for creating databases.
    pub fn cluster(&self) -> Cluster {
        let tls = || format!("?sslmode=verify-full&sslrootcert={}", self.certificate().ca.display());
        let query = self.settings.tls.then(tls).unwrap_or_default();
        let url = format!("postgres://postgres:{}@127.0.0.1:{}/postgres{query}", self.password, self.port);
        // The port and the hexadecimal password need no escaping, so this is a URL.
        Cluster::parse(&url).unwrap_or_else(|_| unreachable!("{url} is a URL"))
    }

    /// The path of one of the server's programs, which may not exist.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    /// Stops the server with a fast shutdown: it closes all connections and writes a checkpoint.
    ///
    /// # Errors
    /// When it is not running or does not exit.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        // SIGINT is Postgres's "fast" shutdown, SIGQUIT its "immediate" one.
        self.end(Signal::INT).await
    }

    /// Stops the server at once, like a crash. Its next start recovers from the write-ahead log.
    ///
    /// # Errors
    /// When it is not running or does not exit.
    pub async fn crash(&mut self) -> anyhow::Result<()> {
        self.end(Signal::QUIT).await
    }

    /// Starts the server again with its old port and data.
    ///
    /// # Errors
    /// When it is running already or does not start.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        ensure!(self.server.is_none(), "the server runs already");
        self.start_server().await
    }

    fn certificate(&self) -> Files {
        Files::of(self.folder.path(), "postgres")
    }

    fn certify(&self) -> anyhow::Result<()> {
        certificates::issue(self.folder.path(), &["postgres"], &["127.0.0.1"])?;
        let Files { ca, certificate, key } = self.certificate();
        // The folder too, because the server's account must read it.
        let folder = key.parent().context("a folder")?.to_owned();
        [ca, certificate, key, folder].iter().try_for_each(|path| self.account.own(path))
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// Creates the cluster, with the superuser `postgres`, password authentication and UTF-8.
    async fn initialize(&mut self) -> anyhow::Result<()> {
        let password_file = self.folder.path().join("password");
        std::fs::write(&password_file, &self.password)?;
        self.account.own(&password_file)?;
        let output = self.folder.path().join("initdb.log");
        let mut initdb = self.command("initdb");
        initdb.args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]);
        initdb.args(["--no-sync", "--no-instructions"]);
        initdb.arg(format!("--pwfile={}", password_file.display()));
        initdb.stdout(Stdio::null()).stderr(File::create(&output)?);
        // As the server, so that it has ended before its folder is removed if nobody waits for it any more.
        let initdb = self.server.insert(initdb.spawn().context("run initdb")?);
        let status = loop {
            match initdb.try_wait()? {
                Some(status) => break status,
                None => sleep(POLL).await,
            }
        };
        self.server = None;
        ensure!(status.success(), "initdb ended with {status}:\n{}", std::fs::read_to_string(output)?);
        std::fs::remove_file(password_file)?;
        Ok(())
    }

    async fn start_on_free_port(&mut self) -> anyhow::Result<()> {
        for _ in 1..PORT_ATTEMPTS {
            self.port = free_port()?;
            match self.start_server().await {
                Err(_) if self.port_was_taken() => {}
                result => return result,
            }
        }
        self.port = free_port()?;
        self.start_server().await
    }

    fn port_was_taken(&self) -> bool {
        std::fs::read_to_string(self.log()).is_ok_and(|log| log.contains("could not bind"))
    }

    async fn start_server(&mut self) -> anyhow::Result<()> {
        let log = File::create(self.log())?;
        let fsync = if self.settings.fsync { "on" } else { "off" };
        let mut command = self.command("postgres");
        if self.settings.tls {
            let Files { certificate, key, .. } = self.certificate();
            for (setting, file) in [("ssl_cert_file", certificate), ("ssl_key_file", key)] {
                command.args(["-c", "ssl=on", "-c", &format!("{setting}={}", file.display())]);
            }
        }
        for setting in [
            format!("port={}", self.port),
            format!("max_connections={}", self.settings.max_connections),
            format!("fsync={fsync}"),
            "synchronous_commit=on".to_owned(),
            "listen_addresses=127.0.0.1".to_owned(),
            // No socket file, because its path could be too long and nothing needs it.
            "unix_socket_directories=".to_owned(),
        ] {
            command.args(["-c", &setting]);
        }
        let server = command.stdout(log.try_clone()?).stderr(log).spawn().context("start postgres")?;
        self.reaper = Some(Reaper::watch(server.id(), &self.folder.path().to_string_lossy()));
        self.server = Some(server);
        let ready = self.wait_until_ready().await;
        if ready.is_err() {
            self.kill();
        }
        ready.with_context(|| format!("its log:\n{}", std::fs::read_to_string(self.log()).unwrap_or_default()))
    }

    /// Reads the state from a file in the server's data folder, so that another server on the same port is not mistaken
    /// for this one.
    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let server = self.server.as_mut().context("no server was started")?;
        let state = self.folder.path().join("data/postmaster.pid");
        let since = Instant::now();
        while since.elapsed() < START_DEADLINE {
            if let Some(status) = server.try_wait()? {
                bail!("postgres ended with {status} before it was ready");
            }
            if is_ready(&state, server.id()) {
                return Ok(());
            }
            sleep(POLL).await;
        }
        bail!("postgres is not ready after {START_DEADLINE:?}")
    }

    async fn end(&mut self, signal: Signal) -> anyhow::Result<()> {
        let mut server = self.server.take().context("the server does not run")?;
        send(&server, signal);
        let since = Instant::now();
        while server.try_wait()?.is_none() {
            if since.elapsed() > STOP_DEADLINE {
                self.server = Some(server);
                bail!("postgres still runs after {STOP_DEADLINE:?}");
            }
            sleep(POLL).await;
        }
        drop(self.reaper.take());
        Ok(())
    }

    /// Stops the server and waits, with SIGQUIT and after a deadline with SIGKILL.
    fn kill(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        send(&server, Signal::QUIT);
        let since = Instant::now();
        while matches!(server.try_wait(), Ok(None)) && since.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(POLL);
        }
        // An error means that it has exited already.
        let _ = server.kill();
        let _ = server.wait();
        drop(self.reaper.take());
    }

    /// A command for one of the server's programs, with its data folder and account.
    fn command(&self, program: &str) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(self.program(program));
        self.account.apply(&mut command);
        command
            .arg("-D")
            .arg(self.data())
            // The account may have no access to the current folder.
            .current_dir(self.folder.path())
            // Otherwise initdb would search for the name of the local time zone, which takes time.
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            // A process group of its own, so that Ctrl-C does not stop the server before its clients.
            .process_group(0);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").context("find a free port")?.local_addr()?.port())
}

/// Reads `postmaster.pid`: the process id is in the first line, the state in the eighth.
fn is_ready(state: &Path, pid: u32) -> bool {
    let text = std::fs::read_to_string(state).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.first() == Some(&pid.to_string().as_str()) && lines.get(7) == Some(&"ready")
}

fn send(server: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(server.id()).ok().and_then(Pid::from_raw) {
        // This fails only when the server has exited. It is not reaped yet, so no other process can have its id.
        let _ = kill_process(pid, signal);
    }
}

#[cfg(test)]
mod tests;
