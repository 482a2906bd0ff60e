use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use proto::CallError;
use proto::data::Notification;
use proto::user::Contact;
use serde::Deserialize;
use telemetry::{Task, TraceContext};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::channel::{Channels, Message, Outcome};
use crate::clients::{Data, User};
use crate::message::Messages;

/// The `delivery:` block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// How long a claim holds.
    #[serde(with = "humantime_serde")]
    lease: Duration,
    /// How long a temporary failure waits for its next attempt.
    #[serde(with = "humantime_serde")]
    retry_after: Duration,
    /// Reports delivered at the same time.
    concurrency: NonZeroUsize,
    /// Reports that wait for their turn; hints beyond are left to the sweeper.
    queue: usize,
}

/// Delivers the notifications of one report after the other, many at a time.
#[derive(Debug)]
pub(crate) struct Delivery {
    config: Config,
    data: Data,
    user: User,
    channels: Channels,
    messages: Messages,
    /// Places in the queue, those under way included.
    places: Arc<Semaphore>,
    permits: Semaphore,
}

impl Delivery {
    pub(crate) fn new(config: Config, data: Data, user: User, channels: Channels, messages: Messages) -> Self {
        let permits = Semaphore::new(config.concurrency.get());
        let places = Arc::new(Semaphore::new(config.concurrency.get() + config.queue));
        Self { config, data, user, channels, messages, places, permits }
    }

    /// Starts the first attempt in the background and in the current trace, unless the queue is full.
    pub(crate) fn try_start(self: &Arc<Self>, report_id: String) {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            self.spawn(place, report_id, attempt_task(1));
        }
    }

    /// Starts an attempt in the background and in the trace the report came with, as soon as there is room.
    pub(crate) async fn start_late(self: &Arc<Self>, report_id: String, attempt: u32, trace: Option<TraceContext>) {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
        let task = attempt_task(attempt);
        let task = match trace {
            Some(trace) => task.parent(trace),
            None => task,
        };
        self.spawn(place, report_id, task);
    }

    fn spawn(self: &Arc<Self>, place: OwnedSemaphorePermit, report_id: String, task: Task) {
        let delivery = Arc::clone(self);
        task.spawn(async move {
            let _place = place;
            // The semaphore is never closed.
            let Ok(_permit) = delivery.permits.acquire().await else { return };
            // What fails here is not lost: the lease runs out and the sweeper comes by.
            let _ = delivery.deliver(&report_id).await.inspect_err(service_kit::note_failure);
        });
    }

    /// Claims what is due for a report and sends it, each nurse and channel on its own.
    async fn deliver(&self, report_id: &str) -> Result<(), CallError> {
        let notifications = self.data.claim_notification(report_id, self.config.lease).await?;
        // A report belongs to one site.
        let Some(site_id) = notifications.first().map(|notification| notification.site_id.clone()) else {
            return Ok(());
        };
        let contacts = self.user.list_site_contacts(&site_id).await?;
        let recorded = join_all(notifications.iter().map(async |notification| {
            let contact = contacts.iter().find(|contact| contact.person_id == notification.recipient_id);
            let outcome = self.send(report_id, notification, contact.cloned()).await;
            self.data.record_delivery(notification, outcome).await
        }));
        recorded.await.into_iter().collect()
    }

    async fn send(&self, report_id: &str, notification: &Notification, contact: Option<Contact>) -> Outcome {
        let Some(contact) = contact else { return Outcome::NoRecipient };
        let Some(channel) = self.channels.get(notification.channel()).cloned() else { return Outcome::Permanent };
        let Ok(text) = self.messages.render(channel.template(), report_id) else { return Outcome::Permanent };
        let message = Message { notification_id: notification.notification_id.clone(), contact, text };
        let task = Task::internal(channel.task()).attribute("epro.delivery.attempt", i64::from(notification.attempt));
        let outcome = task.spawn(async move { channel.send(message).await }).await;
        match outcome {
            Ok(Outcome::Temporary { retry_after: None }) => {
                Outcome::Temporary { retry_after: Some(self.config.retry_after) }
            }
            Ok(outcome) => outcome,
            // The task has panicked; its span says so.
            Err(_) => Outcome::Temporary { retry_after: Some(self.config.retry_after) },
        }
    }
}

fn attempt_task(attempt: u32) -> Task {
    Task::consumer("deliver notification").attribute("epro.delivery.attempt", i64::from(attempt))
}
