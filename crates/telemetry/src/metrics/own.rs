//! Metrics of this crate itself, with the names of the conventions for SDKs.

use opentelemetry::KeyValue;

use super::Meters;
use crate::conventions::{
    ERROR_TYPE, OTEL_COMPONENT_TYPE, OTEL_SDK_EXPORTER_SPAN_EXPORTED, OTEL_SDK_EXPORTER_SPAN_INFLIGHT,
    OTEL_SDK_PROCESSOR_LOG_PROCESSED, OTEL_SDK_PROCESSOR_SPAN_PROCESSED, OTEL_SDK_PROCESSOR_SPAN_QUEUE_CAPACITY,
    OTEL_SDK_PROCESSOR_SPAN_QUEUE_SIZE,
};
use crate::export::Processor;
use crate::log::Writer;

/// Causes of loss in the queue, not in the exporter.
const OF_QUEUE: [&str; 4] = ["queue_full", "shed", "already_shutdown", "fragments_full"];

impl Meters {
    /// Shows the queue of spans, what was sent, and what was lost by cause.
    pub(crate) fn observe_export(&self, processor: &Processor) {
        let number = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        let kind = || [KeyValue::new(OTEL_COMPONENT_TYPE, "batching_span_processor")];
        let queue = processor.clone();
        let size = self.meter.i64_observable_up_down_counter(OTEL_SDK_PROCESSOR_SPAN_QUEUE_SIZE).with_unit("{span}");
        size.with_callback(move |observer| observer.observe(number(queue.queue_size()), &kind())).build();
        let queue = processor.clone();
        let capacity = self.meter.i64_observable_up_down_counter(OTEL_SDK_PROCESSOR_SPAN_QUEUE_CAPACITY);
        let capacity = capacity.with_unit("{span}");
        capacity.with_callback(move |observer| observer.observe(number(queue.queue_capacity()), &kind())).build();
        let queue = processor.clone();
        let in_flight = self.meter.i64_observable_up_down_counter(OTEL_SDK_EXPORTER_SPAN_INFLIGHT).with_unit("{span}");
        let observe = move || i64::try_from(queue.counts().in_flight()).unwrap_or(i64::MAX);
        in_flight.with_callback(move |observer| observer.observe(observe(), &[])).build();
        self.observe_processed(processor.clone());
        self.observe_exported(processor.clone());
    }

    /// Shows how many spans were passed to the exporter and how many were not, by cause.
    fn observe_processed(&self, processor: Processor) {
        let counter = self.meter.u64_observable_counter(OTEL_SDK_PROCESSOR_SPAN_PROCESSED).with_unit("{span}");
        counter
            .with_callback(move |observer| {
                let mut given = processor.counts().exported();
                for (cause, spans) in processor.counts().lost() {
                    if OF_QUEUE.contains(&cause) {
                        observer.observe(spans, &[KeyValue::new(ERROR_TYPE, cause)]);
                    } else {
                        given += spans;
                    }
                }
                observer.observe(given, &[]);
            })
            .build();
    }

    /// Shows how many spans the receiver has taken and how many it has not, by cause.
    fn observe_exported(&self, processor: Processor) {
        let counter = self.meter.u64_observable_counter(OTEL_SDK_EXPORTER_SPAN_EXPORTED).with_unit("{span}");
        counter
            .with_callback(move |observer| {
                observer.observe(processor.counts().exported(), &[]);
                for (cause, spans) in processor.counts().lost() {
                    if !OF_QUEUE.contains(&cause) {
                        observer.observe(spans, &[KeyValue::new(ERROR_TYPE, cause)]);
                    }
                }
            })
            .build();
    }

    /// Shows how many log lines were written and how many were dropped.
    pub(crate) fn observe_log(&self, writer: Writer) {
        let counter = self.meter.u64_observable_counter(OTEL_SDK_PROCESSOR_LOG_PROCESSED).with_unit("{log_record}");
        counter
            .with_callback(move |observer| {
                let numbers = writer.numbers();
                observer.observe(numbers.written, &[]);
                observer.observe(numbers.dropped, &[KeyValue::new(ERROR_TYPE, "queue_full")]);
            })
            .build();
    }
}
