use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;

use super::encode::Encoder;
use super::otlp::{Failure, Sender};
use super::queue::Queue;
use super::stdout;
use crate::config::settings::Exporter;

/// The shortest time between two log lines about lost spans.
const NOTICE: Duration = Duration::from_mins(1);

/// The RPC that takes spans.
const METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Sends batches, one after the other.
pub(super) struct Worker {
    queue: Arc<Queue>,
    exporter: Exporter,
    encoder: Encoder,
    /// Whether the last batch has failed.
    failing: bool,
    lost: Noticed,
}

/// The losses that were logged, and when.
#[derive(Default)]
struct Noticed {
    spans: u64,
    at: Option<Instant>,
}

impl Worker {
    pub(super) fn new(queue: Arc<Queue>, exporter: Exporter, resource: &Resource, value_length: Option<usize>) -> Self {
        let encoder = Encoder::new(resource, value_length);
        Self { queue, exporter, encoder, failing: false, lost: Noticed::default() }
    }

    pub(super) async fn run(mut self) {
        let sender = match &self.exporter {
            Exporter::Stdout => None,
            Exporter::Otlp(otlp) => Some(Sender::new(otlp, METHOD)),
        };
        while let Some(batch) = self.queue.next().await {
            match &sender {
                None => self.print(&batch),
                Some(sender) => self.send(sender, batch).await,
            }
            self.notice_losses();
        }
    }

    fn print(&self, batch: &[SpanData]) {
        for span in batch {
            stdout::print(span);
        }
        self.queue.counts.export(batch.len() as u64);
    }

    /// Sends a batch, and retries it as long as no other trace is shed for it: an outage costs no span while the queue
    /// has room.
    async fn send(&mut self, sender: &Sender, batch: Vec<SpanData>) {
        let spans = batch.len() as u64;
        let request = self.encoder.request(&batch);
        drop(batch);
        self.queue.counts.send(spans);
        let result = loop {
            match sender.send(request.clone(), self.queue.out_of_time()).await {
                Err(failure) if failure.may_pass() && self.queue.can_wait() => self.note_outage(&failure),
                result => break result,
            }
        };
        self.queue.counts.send(0);
        self.note(spans, result);
        self.queue.drop_if_past_deadline();
    }

    /// Counts the result of a batch, and logs when an outage of the receiver begins or ends.
    fn note(&mut self, spans: u64, result: Result<Bytes, Failure>) {
        match result {
            Ok(answer) => {
                let rejected = rejected(&answer).min(spans);
                let counts = &self.queue.counts;
                counts.export(spans - rejected);
                counts.lose("rejected", rejected);
                if std::mem::take(&mut self.failing) {
                    tracing::info!(lost_spans = counts.lost().values().sum::<u64>(), "spans are sent again");
                }
            }
            Err(failure) => {
                self.queue.counts.lose(failure.class, spans);
                self.note_outage(&failure);
            }
        }
    }

    /// Logs an outage of the receiver once, when it begins.
    fn note_outage(&mut self, failure: &Failure) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(error = failure.message, "spans cannot be sent");
        }
    }

    /// Logs lost spans by cause: at once, and then once a minute while more are lost.
    fn notice_losses(&mut self) {
        let lost = self.queue.counts.lost();
        let spans = lost.values().sum();
        if spans == self.lost.spans || self.lost.at.is_some_and(|at| at.elapsed() < NOTICE) {
            return;
        }
        self.lost = Noticed { spans, at: Some(Instant::now()) };
        tracing::warn!(lost_spans = spans, causes = ?lost, "spans were lost");
    }
}

/// How many spans of a batch the receiver has rejected (OTLP's partial success).
fn rejected(answer: &Bytes) -> u64 {
    let answer = ExportTraceServiceResponse::decode(answer.clone()).unwrap_or_default();
    let rejected = answer.partial_success.map(|partial| partial.rejected_spans);
    rejected.and_then(|spans| u64::try_from(spans).ok()).unwrap_or_default()
}
