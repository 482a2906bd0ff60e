//! Several copies of each service. The first one has the number 0.

use anyhow::{Context, ensure};
use rustix::process::Signal;

use super::instance::Instance;
use super::{READY_DEADLINE, Replica, Service, Stack, process};
use crate::client::Client;
use crate::poll;

impl Stack {
    /// The addresses of all copies of a service, in the format of the callers' setting.
    pub(super) fn urls(&self, service: Service) -> String {
        let further = self.further.get(&service).into_iter().flatten();
        further.fold(self.url(service), |urls, copy| format!("{urls},{}", copy.0.address))
    }

    /// A client of each gateway.
    pub fn clients(&self) -> Vec<Client> {
        let further = self.further.get(&Service::Gateway).into_iter().flatten();
        [self.url(Service::Gateway)]
            .into_iter()
            .chain(further.map(Replica::url))
            .map(|url| self.client_of(url))
            .collect()
    }

    /// Stops one copy of a service gracefully, starts it again and waits until it reports that it is ready.
    ///
    /// # Errors
    /// When it does not exit with 0, does not start or is not ready in time.
    pub async fn roll(&mut self, service: Service, copy: usize) -> anyhow::Result<()> {
        let instance = self.copy_mut(service, copy)?;
        let status = instance.end(Signal::TERM).await?;
        ensure!(status.success(), "{service} ended with {status}; its last lines:\n{}", instance.log);
        instance.start_again().await.with_context(|| format!("restart {service}"))?;
        let healthy = async || process::run(&instance.program, &["healthcheck"], &instance.environment).await;
        let answer = poll::until(READY_DEADLINE, healthy, |output| output.status.success()).await?;
        ensure!(answer.status.success(), "{service} is not ready: {}", String::from_utf8_lossy(&answer.stderr));
        Ok(())
    }

    fn copy_mut(&mut self, service: Service, copy: usize) -> anyhow::Result<&mut Instance> {
        match copy.checked_sub(1) {
            None => self.instance_mut(service),
            Some(index) => {
                let further = self.further.get_mut(&service).and_then(|copies| copies.get_mut(index));
                Ok(&mut further.with_context(|| format!("{service} has no copy {copy}"))?.0)
            }
        }
    }
}
