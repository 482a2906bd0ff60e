//! One service as an operating-system process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::log::Log;
use crate::reaper::Reaper;

/// The most time from the start of a process until its log has its address.
const START_DEADLINE: Duration = Duration::from_secs(20);
/// The most time from SIGTERM to the exit: longer than a service may take to drain.
const EXIT_DEADLINE: Duration = Duration::from_secs(30);

/// How long a sub-command may take.
const COMMAND_DEADLINE: Duration = Duration::from_mins(1);

/// The environment variables that services inherit. Any other could change a test's result by a setting of the shell.
const INHERITED: [&str; 7] = ["PATH", "HOME", "TMPDIR", "TZ", "RUST_BACKTRACE", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE"];

/// A running service. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: u32,
    readers: Vec<JoinHandle<()>>,
    _reaper: Reaper,
}

impl Process {
    /// Starts `program` and waits until its log has the address that it listens on.
    pub(super) async fn start(
        program: &Path,
        environment: &BTreeMap<String, String>,
        log: &Arc<Log>,
    ) -> anyhow::Result<(Self, SocketAddr)> {
        let (mut process, listening) = Self::spawn(program, environment, log)?;
        match timeout(START_DEADLINE, listening).await {
            Ok(Ok(address)) => Ok((process, address)),
            Ok(Err(_)) => {
                let status = process.exit(Duration::from_secs(1)).await;
                let how = status.map_or_else(|_| "closed its output".to_owned(), |status| status.to_string());
                bail!("{} ended before it listened ({how}); its last lines:\n{log}", program.display())
            }
            Err(_) => {
                bail!("{} does not listen after {START_DEADLINE:?}; its last lines:\n{log}", program.display())
            }
        }
    }

    /// Starts `program`. Also returns a receiver for the address, which the log reader sends once it appears in the
    /// log.
    pub(super) fn spawn(
        program: &Path,
        environment: &BTreeMap<String, String>,
        log: &Arc<Log>,
    ) -> anyhow::Result<(Self, oneshot::Receiver<SocketAddr>)> {
        let mut child = command(program, environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A process group of its own, so that Ctrl-C at the terminal only reaches the owner of the stack.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let pid = child.id().context("a process that has just started has an id")?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (found, listening) = oneshot::channel();
        let readers = vec![
            tokio::spawn(follow_stdout(Arc::clone(log), stdout.context("stdout is piped")?, found)),
            tokio::spawn(follow_stderr(Arc::clone(log), stderr.context("stderr is piped")?)),
        ];
        Ok((Self { child, pid, readers, _reaper: Reaper::watch(pid, "") }, listening))
    }

    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal. It is no error if the process has ended already.
    pub(super) fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        // While the process is not reaped, no other process can have its id.
        if self.is_running()
            && let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw)
        {
            kill_process(pid, signal).with_context(|| format!("send {signal:?} to {pid:?}"))?;
        }
        Ok(())
    }

    /// Sends a signal that ends the process, and waits for the exit and the last log line.
    pub(super) async fn end(mut self, signal: Signal) -> anyhow::Result<ExitStatus> {
        self.signal(signal)?;
        // A stopped process must be continued before it can handle a signal.
        self.signal(Signal::CONT)?;
        self.exit(EXIT_DEADLINE).await
    }

    async fn exit(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        let Ok(status) = timeout(deadline, self.child.wait()).await else {
            bail!("process {} still runs after {deadline:?}", self.pid)
        };
        for reader in self.readers.drain(..) {
            // A grandchild could hold the pipe open, so this wait has a limit.
            let _ = timeout(Duration::from_secs(1), reader).await;
        }
        Ok(status?)
    }
}

/// Runs a program to its end.
pub(super) async fn run(
    program: &Path,
    arguments: &[&str],
    environment: &BTreeMap<String, String>,
) -> anyhow::Result<Output> {
    let mut command = command(program, environment);
    let output = command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(COMMAND_DEADLINE, output).await;
    output.with_context(|| format!("{} {arguments:?} does not end", program.display()))?.context("run a sub-command")
}

fn command(program: &Path, environment: &BTreeMap<String, String>) -> Command {
    let inherited = INHERITED.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut command = Command::new(program);
    command.env_clear().envs(inherited).envs(environment);
    command
}

async fn follow_stdout(log: Arc<Log>, stdout: tokio::process::ChildStdout, found: oneshot::Sender<SocketAddr>) {
    let found = std::sync::Mutex::new(Some(found));
    log.follow("stdout", stdout, |line| {
        let address = (line["message"] == "listening").then(|| line["address"].as_str()?.parse().ok()).flatten();
        if let Some(address) = address
            && let Some(found) = found.lock().ok().and_then(|mut found| found.take())
        {
            // Fails only when the receiver is gone, because the deadline has passed.
            let _ = found.send(address);
        }
    })
    .await;
}

async fn follow_stderr(log: Arc<Log>, stderr: tokio::process::ChildStderr) {
    log.follow("stderr", stderr, |_| {}).await;
}
