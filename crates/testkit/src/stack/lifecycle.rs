//! Stops, restarts and freezes services.

use std::process::ExitStatus;
use std::sync::Arc;

use anyhow::{Context, ensure};
use rustix::process::Signal;

use super::instance::Instance;
use super::{READY_DEADLINE, Replica, Service, Stack};
use crate::contract;

impl Stack {
    /// Kills a service at once, like a crash.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self, service: Service) -> anyhow::Result<()> {
        self.instance_mut(service)?.end(Signal::KILL).await?;
        Ok(())
    }

    /// Stops a service gracefully and waits for its exit.
    ///
    /// # Errors
    /// When it does not run, or still runs after 30 s.
    pub async fn terminate(&mut self, service: Service) -> anyhow::Result<ExitStatus> {
        self.instance_mut(service)?.end(Signal::TERM).await
    }

    /// Sends SIGTERM twice, which stops a service at once, and waits for its exit.
    ///
    /// # Errors
    /// When it does not run, or still runs after 30 s.
    pub async fn terminate_at_once(&mut self, service: Service) -> anyhow::Result<ExitStatus> {
        self.signal(service, Signal::TERM)?;
        self.wait_for_log(service, READY_DEADLINE, |line| line["message"] == "stopping").await?;
        self.terminate(service).await
    }

    /// Starts a service on its old port, and stops it first if it is running. The gateway may not be ready yet.
    ///
    /// # Errors
    /// When it does not exit or does not start.
    pub async fn restart(&mut self, service: Service) -> anyhow::Result<()> {
        let instance = self.instance_mut(service)?;
        if instance.process.is_some() {
            instance.end(Signal::TERM).await?;
        }
        instance.start_again().await.with_context(|| format!("restart {service}"))
    }

    /// Restarts a service with an environment variable set or removed.
    ///
    /// # Errors
    /// See [`Stack::restart`].
    pub async fn restart_with(&mut self, service: Service, name: &str, value: Option<&str>) -> anyhow::Result<()> {
        let environment = &mut self.instance_mut(service)?.environment;
        match value {
            Some(value) => environment.insert(name.to_owned(), value.to_owned()),
            None => environment.remove(name),
        };
        self.restart(service).await
    }

    /// Starts one more copy of a service. Only its port and these settings differ from the first.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn replicate(&self, service: Service, settings: &[(&str, String)]) -> anyhow::Result<Replica> {
        let instance = &self.instances[&service];
        let mut environment = instance.environment.clone();
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        environment.insert("EPRO_LISTEN".to_owned(), "127.0.0.1:0".to_owned());
        let network = self.network(service, &environment).await?;
        Ok(Replica(Instance::start(service, instance.program.clone(), environment, network).await?))
    }

    /// Freezes a service: its port accepts connections but nothing answers.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&mut self, service: Service) -> anyhow::Result<()> {
        self.signal(service, Signal::STOP)
    }

    /// Continues a frozen service.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&mut self, service: Service) -> anyhow::Result<()> {
        self.signal(service, Signal::CONT)
    }

    fn signal(&mut self, service: Service, signal: Signal) -> anyhow::Result<()> {
        let process = self.instance_mut(service)?.process.as_mut();
        process.with_context(|| format!("{service} does not run"))?.signal(signal)
    }

    /// Stops all services, callers first, and drops the database.
    ///
    /// # Errors
    /// When one does not exit, or not with 0. The others are stopped nevertheless.
    pub async fn stop(mut self) -> anyhow::Result<Vec<(Service, ExitStatus)>> {
        let mut ends = Vec::new();
        for (service, instance) in self.instances.iter_mut().rev() {
            let further = self.further.remove(service).unwrap_or_default();
            let mut copies: Vec<_> = further.into_iter().map(|replica| replica.0).collect();
            for copy in copies.iter_mut().chain([instance]) {
                if copy.process.is_some() {
                    ends.push((*service, copy.end(Signal::TERM).await, Arc::clone(&copy.log)));
                }
            }
        }
        let dropped = self.sinks.database.drop().await;
        let mut statuses = Vec::new();
        for (service, end, log) in ends {
            let status = end.with_context(|| format!("stop {service}"))?;
            ensure!(status.success(), "{service} ended with {status}; its last lines:\n{log}");
            statuses.push((service, status));
        }
        dropped?;
        let unknown = contract::unknown_attributes(&self.sinks.otlp.traces());
        ensure!(unknown.is_empty(), "spans have attributes of no convention: {unknown:?}");
        Ok(statuses)
    }
}
