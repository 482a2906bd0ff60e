//! A program that runs beside the services.

use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;
use serde_json::Value;

use super::log::Log;
use super::process::Process;
use super::{Service, Stack};

impl Stack {
    /// Starts a program that is not a service, from the folder of the services' binaries. Its environment has only
    /// these settings.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_sidecar(&self, program: &str, settings: &[(&str, String)]) -> anyhow::Result<Sidecar> {
        let program = self.instances[&Service::Gateway].program.with_file_name(program);
        let environment = settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let log = Arc::new(Log::default());
        let (process, _) = Process::spawn(&program, &environment, &log)?;
        Ok(Sidecar { process, log })
    }
}

/// A running program that opens no port. Dropping it kills the program.
#[derive(Debug)]
pub struct Sidecar {
    process: Process,
    log: Arc<Log>,
}

impl Sidecar {
    /// Its log lines.
    pub fn logs(&self) -> Vec<Value> {
        self.log.all()
    }

    /// Waits for a line; see [`Stack::wait_for_log`].
    ///
    /// # Errors
    /// When the deadline passes first. The message has the last lines.
    pub async fn wait_for_log(&self, deadline: Duration, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        self.log.wait_for(deadline, wanted).await
    }

    /// Asks it to end, and waits for it.
    ///
    /// # Errors
    /// When it still runs after 30 s.
    pub async fn terminate(self) -> anyhow::Result<ExitStatus> {
        let Self { process, log } = self;
        process.end(Signal::TERM).await.with_context(|| format!("the last lines:\n{log}"))
    }
}
