use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use proto::data::{Recipient, UnnotifiedReport};
use service_kit::error::CallError;
use service_kit::{Shutdown, catch_panic};
use telemetry::Task;
use tokio::time::{MissedTickBehavior, interval};

use crate::clients::{Data, User};
use crate::delivery::Delivery;

/// Most reports that are leased at once.
const BATCH: u32 = 20;

/// How long leased reports are not due again. It is also the wait after the nurses could not be looked up.
const LEASE: Duration = Duration::from_secs(15);

/// How long a report waits when nobody in the study can be notified of it.
const AGAIN_AFTER: Duration = Duration::from_mins(5);

/// Notifies the nurses of a whole study of unnotified reports.
#[derive(Debug)]
pub(crate) struct Escalator {
    every: Duration,
    data: Data,
    user: User,
    delivery: Arc<Delivery>,
}

impl Escalator {
    /// Looks for unnotified reports at the interval `every`.
    pub(crate) fn new(every: Duration, data: Data, user: User, delivery: Arc<Delivery>) -> Self {
        Self { every, data, user, delivery }
    }

    /// Escalates until shutdown.
    pub(crate) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            catch_panic(self.escalate_due()).await;
        }
        Ok(())
    }

    async fn escalate_due(&self) {
        let claim = self.data.claim_unnotified_reports(BATCH, LEASE);
        let claimed = telemetry::unsampled(async { claim.await.inspect_err(service_kit::note_failure) }).await;
        for report in claimed.unwrap_or_default() {
            let escalated = Task::internal("escalate report").root().run(self.escalate(&report)).await;
            let _ = escalated.inspect_err(service_kit::note_failure);
        }
    }

    async fn escalate(&self, report: &UnnotifiedReport) -> Result<(), CallError> {
        let sites = report.site_ids.iter();
        // All calls run to their end: a call that is dropped while its channel connects leaves a half-made connection
        // to the next call.
        let asked = join_all(sites.map(|site_id| self.user.list_site_contacts(site_id))).await;
        let contacts = asked.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut known = HashSet::new();
        let recipients = report.site_ids.iter().zip(contacts).flat_map(|(site_id, contacts)| {
            let recipient = |person_id| Recipient { person_id, site_id: site_id.clone() };
            contacts.into_iter().map(move |contact| recipient(contact.person_id))
        });
        let recipients = recipients.filter(|recipient| known.insert(recipient.person_id.clone())).collect();
        let report_id = &report.report_id;
        let escalated = self.data.escalate_report(report_id, recipients, AGAIN_AFTER).await?;
        if escalated.unnotified {
            telemetry::error!(%report_id, "nobody in the study can be told of this report");
        }
        if escalated.recipients > 0 {
            telemetry::warn!(%report_id, "the nurses of the whole study are told of this report");
            self.delivery.try_start(report_id.clone());
        }
        Ok(())
    }
}
