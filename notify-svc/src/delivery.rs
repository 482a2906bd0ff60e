mod key;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use proto::data::{self as pb, Channel, DueReport, Notification};
use proto::user::Contact;
use serde::Deserialize;
use service_kit::attribute::{DELIVERY_ATTEMPT, DELIVERY_CHANNEL, DELIVERY_OUTCOME};
use service_kit::error::CallError;
use telemetry::{Task, TraceContext};
use tokio::sync::OwnedSemaphorePermit;

use crate::backoff::Backoff;
use crate::breaker::{Change, Circuit};
use crate::bulkhead::Bulkhead;
use crate::channel::{GuardedSender, Message, Outcome, Senders};
use crate::clients::{Data, User};
use crate::message::Messages;
use key::key;

/// How long a report waits for its next attempt when its nurses could not be looked up.
const WITHOUT_CONTACTS: Duration = Duration::from_secs(5);

/// The name of the outbox: its table.
const OUTBOX: &str = "clinical.notification";

/// The `delivery:` block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// How long the lease of a claim lasts.
    #[serde(with = "humantime_serde")]
    pub(crate) lease: Duration,
    /// How long a notification waits after a temporary failure.
    backoff: Backoff,
    /// How long a notification waits after an attempt that may have delivered it.
    uncertain: Backoff,
    /// The same for urgent notifications. They wait less, because a duplicate is better than no message.
    urgent_uncertain: Backoff,
    /// How old a notification may be at its last attempt.
    #[serde(with = "humantime_serde")]
    give_up_after: Duration,
    /// How old a trace may be for a late delivery to join it.
    #[serde(with = "humantime_serde")]
    trace_age: Duration,
    /// Makes the jitter the same in every run, for tests.
    seed: Option<u64>,
    /// Reports delivered at the same time.
    concurrency: NonZeroU32,
    /// Reports that wait for their turn. Hints beyond that are dropped, and the sweeper finds their reports.
    queue: u32,
}

/// Delivers notifications, report by report, several reports at a time.
#[derive(Debug)]
pub(crate) struct Delivery {
    config: Config,
    data: Data,
    user: User,
    senders: Senders,
    messages: Messages,
    random: Mutex<fastrand::Rng>,
    bulkhead: Bulkhead,
}

impl Delivery {
    pub(crate) fn new(config: Config, data: Data, user: User, senders: Senders, messages: Messages) -> Self {
        let random = Mutex::new(config.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed));
        let bulkhead = Bulkhead::new(config.concurrency, config.queue);
        Self { config, data, user, senders, messages, random, bulkhead }
    }

    /// From now on nothing more is claimed. What was claimed is still sent.
    pub(crate) fn stop(&self) {
        self.bulkhead.close();
    }

    /// The channels whose circuit is in this state now.
    pub(crate) fn channels(&self, circuit: Circuit) -> Vec<Channel> {
        self.senders.with_circuit(circuit, Instant::now())
    }

    /// Starts the first attempt in the background, in the current trace. Does nothing if the queue is full or no
    /// provider works: the sweeper finds the report later.
    pub(crate) fn try_start(self: &Arc<Self>, report_id: String) {
        if self.channels(Circuit::Closed).is_empty() {
            return;
        }
        let Some(queued) = self.bulkhead.enqueue() else { return };
        let delivery = Arc::clone(self);
        attempt_task(&report_id, 1).spawn(async move {
            let _queued = queued;
            let Some(_running) = delivery.bulkhead.start_first().await else { return };
            let _ = delivery.claim_and_send(&report_id).await.inspect_err(service_kit::note_failure);
        });
    }

    async fn claim_and_send(&self, report_id: &str) -> Result<(), CallError> {
        let channels = self.channels(Circuit::Closed);
        let claimed = self.data.claim_notification(report_id, &channels, self.config.lease).await?;
        if let Some(created) = stored(claimed.trace_context) {
            telemetry::link_current(&created);
        }
        self.send_all(report_id, &claimed.notifications, Circuit::Closed).await
    }

    /// See [`Bulkhead::start_due`].
    pub(crate) async fn permits(&self, limit: u32) -> Option<OwnedSemaphorePermit> {
        self.bulkhead.start_due(limit).await
    }

    /// See [`Bulkhead::take_overflow`].
    pub(crate) fn take_overflow(&self) -> bool {
        self.bulkhead.take_overflow()
    }

    /// Claims notifications that are due on these channels, as many as there are permits, and sends them in the
    /// background. Returns whether there may be more. With [`Circuit::HalfOpen`] the message is the probe of a
    /// provider.
    ///
    /// The claim comes before any span: when another copy of this service was faster and nothing is found, nothing is
    /// added to a patient's trace.
    pub(crate) async fn start_due(
        self: &Arc<Self>,
        overdue: Duration,
        channels: &[Channel],
        circuit: Circuit,
        mut permits: OwnedSemaphorePermit,
    ) -> bool {
        let limit = permits.num_permits();
        let claim = self.data.claim_due_notifications(overdue, limit, channels, self.config.lease);
        let claimed = telemetry::unsampled(async { claim.await.inspect_err(service_kit::note_failure) }).await;
        // If data-svc is unavailable, the next sweep asks again.
        let reports = claimed.unwrap_or_default();
        let found: usize = reports.iter().map(|report| report.notifications.len()).sum();
        if circuit == Circuit::HalfOpen && found > 0 {
            let senders = channels.iter().filter_map(|channel| self.senders.get(*channel));
            senders.for_each(|guarded| guarded.breaker.probe(Instant::now()));
        }
        for report in reports {
            // There are no more reports than notifications.
            let permit = permits.split(1);
            let delivery = Arc::clone(self);
            self.due_task(&report).spawn(async move {
                let _permit = permit;
                let sent = delivery.send_all(&report.report_id, &report.notifications, circuit).await;
                let _ = sent.inspect_err(service_kit::note_failure);
            });
        }
        found >= limit
    }

    /// The task of a late delivery. It joins the trace in which the notifications were created while that is young;
    /// later it is the root of its own trace. It always has a link to where they were created.
    fn due_task(&self, report: &DueReport) -> Task {
        let attempt = report.notifications.iter().map(|notification| notification.attempt).max();
        let task = attempt_task(&report.report_id, attempt.unwrap_or_default());
        let age = report.age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default();
        let Some(created) = stored(report.trace_context.clone()) else { return task };
        let task = if age < self.config.trace_age { task.parent(created.clone()) } else { task.root() };
        task.link(created)
    }

    /// Sends what was claimed of a report, to each nurse and channel independently. A failure loses nothing: the lease
    /// expires, and the sweeper finds the notification.
    async fn send_all(
        &self,
        report_id: &str,
        notifications: &[Notification],
        circuit: Circuit,
    ) -> Result<(), CallError> {
        let contacts = match self.contacts(notifications).await {
            Ok(contacts) => contacts,
            Err(error) => {
                let released = notifications.iter().map(|held| self.data.release(held, WITHOUT_CONTACTS));
                return join_all(released).await.into_iter().collect::<Result<(), _>>().and(Err(error));
            }
        };
        let done = join_all(notifications.iter().map(|notification| {
            let site = contacts.iter().find(|(site_id, _)| **site_id == notification.site_id);
            let mut team = site.into_iter().flat_map(|(_, team)| team);
            let contact = team.find(|contact| contact.person_id == notification.recipient_id);
            self.send_and_record(report_id, notification, contact.cloned(), circuit)
        }));
        done.await.into_iter().collect()
    }

    /// The nurses of the sites of these notifications. It is one site, unless the whole study is notified.
    async fn contacts<'n>(
        &self,
        notifications: &'n [Notification],
    ) -> Result<Vec<(&'n String, Vec<Contact>)>, CallError> {
        let site_ids: BTreeSet<_> = notifications.iter().map(|notification| &notification.site_id).collect();
        let contacts = site_ids.into_iter().map(async |site_id| {
            let team = self.user.list_site_contacts(site_id).await?;
            Ok((site_id, team))
        });
        // All calls run to their end: a call that is dropped while its channel connects leaves a half-made connection
        // to the next call.
        join_all(contacts).await.into_iter().collect()
    }

    async fn send_and_record(
        &self,
        report_id: &str,
        notification: &Notification,
        contact: Option<Contact>,
        circuit: Circuit,
    ) -> Result<(), CallError> {
        let Some(guarded) = self.senders.get(notification.channel()) else {
            return self.data.release(notification, self.config.lease).await;
        };
        let outcome = match (contact, guarded.breaker.wait(Instant::now())) {
            (None, _) => Outcome::NoRecipient,
            // The circuit has opened since the claim.
            (_, Some(wait)) if circuit == Circuit::Closed => return self.data.release(notification, wait).await,
            (Some(contact), _) => self.send(guarded, report_id, notification, contact).await,
        };
        match outcome.provider_is_well() {
            Some(is_well) => note(guarded.sender.name(), guarded.breaker.record(is_well, Instant::now())),
            None if circuit == Circuit::HalfOpen => guarded.breaker.probe_again(Instant::now()),
            None => {}
        }
        let wait = match outcome {
            // A duplicate should be rare, so this wait has no jitter.
            Outcome::Uncertain if notification.urgent => {
                self.config.urgent_uncertain.wait(notification.attempt, 1.0, None)
            }
            Outcome::Uncertain => self.config.uncertain.wait(notification.attempt, 1.0, None),
            _ => self.config.backoff.wait(notification.attempt, self.random(), outcome.retry_after()),
        };
        self.data.record_delivery(notification, outcome, wait, self.config.give_up_after).await
    }

    async fn send(
        &self,
        guarded: &GuardedSender,
        report_id: &str,
        notification: &Notification,
        contact: Contact,
    ) -> Outcome {
        let sender = Arc::clone(&guarded.sender);
        let (key, urgent) = (key(notification), notification.urgent);
        let Ok(text) = self.messages.render(sender.name(), report_id, notification) else { return Outcome::Panic };
        let message = Message { key, contact, urgent, text };
        let task = Task::internal(sender.task())
            .attribute(DELIVERY_ATTEMPT, i64::from(notification.attempt))
            .attribute(DELIVERY_CHANNEL, sender.name());
        // The task fails only if it has panicked; its span records the panic.
        let sent = task.spawn_classified(DELIVERY_OUTCOME, Outcome::class, async move { sender.send(message).await });
        sent.await.unwrap_or(Outcome::Panic)
    }

    fn random(&self) -> f64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).f64()
    }
}

fn stored(context: Option<pb::TraceContext>) -> Option<TraceContext> {
    context.and_then(|context| TraceContext::parse(&context.traceparent, &context.tracestate).ok())
}

fn attempt_task(report_id: &str, attempt: u32) -> Task {
    let message = telemetry::Message { system: "postgresql", destination: OUTBOX, id: report_id.to_owned() };
    Task::process("deliver notification", message).attribute(DELIVERY_ATTEMPT, i64::from(attempt))
}

fn note(channel: &'static str, change: Option<Change>) {
    match change {
        Some(Change::Opened) => telemetry::warn!(channel, "provider is left alone"),
        Some(Change::Closed) => telemetry::info!(channel, "provider is well again"),
        None => {}
    }
}
