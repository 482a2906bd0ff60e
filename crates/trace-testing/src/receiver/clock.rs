//! Simulated clock skew: the times of a service's spans are shifted as if its clock were ahead.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;

/// How far the clocks of services are ahead, in nanoseconds, by `service.name`.
#[derive(Debug, Default)]
pub(super) struct Clocks(Mutex<BTreeMap<String, u64>>);

impl Clocks {
    pub(super) fn put_ahead(&self, service: &str, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(service.to_owned(), nanos);
    }

    /// Shifts the times of the spans by the skew of their service.
    pub(super) fn set(&self, request: &mut ExportTraceServiceRequest) {
        let clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for group in &mut request.resource_spans {
            let ahead = group.resource.as_ref().and_then(|resource| clocks.get(service(resource)?));
            let Some(ahead) = ahead.copied().filter(|ahead| *ahead > 0) else { continue };
            for span in group.scope_spans.iter_mut().flat_map(|scope| &mut scope.spans) {
                let events = span.events.iter_mut().map(|event| &mut event.time_unix_nano);
                for time in events.chain([&mut span.start_time_unix_nano, &mut span.end_time_unix_nano]) {
                    *time = time.saturating_add(ahead);
                }
            }
        }
    }
}

fn service(resource: &Resource) -> Option<&str> {
    let name = resource.attributes.iter().find(|pair| pair.key == "service.name")?.value.as_ref()?;
    match &name.value {
        Some(Value::StringValue(name)) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

    use super::*;

    fn request(service: &str) -> ExportTraceServiceRequest {
        let value = Some(AnyValue { value: Some(Value::StringValue(service.to_owned())) });
        let name = KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() };
        let resource = Some(Resource { attributes: vec![name], ..Resource::default() });
        let span = Span { start_time_unix_nano: 5, end_time_unix_nano: 7, ..Span::default() };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { resource, scope_spans, ..Default::default() }],
        }
    }

    fn seen(clocks: &Clocks, service: &str) -> (u64, u64) {
        let mut request = request(service);
        clocks.set(&mut request);
        let span = &request.resource_spans[0].scope_spans[0].spans[0];
        (span.start_time_unix_nano, span.end_time_unix_nano)
    }

    #[test]
    fn spans_of_a_service_whose_clock_is_ahead_are_later_and_those_of_others_are_not() {
        let clocks = Clocks::default();
        clocks.put_ahead("a", Duration::from_nanos(100));
        assert_eq!((seen(&clocks, "a"), seen(&clocks, "b")), ((105, 107), (5, 7)));
        clocks.put_ahead("a", Duration::ZERO);
        assert_eq!(seen(&clocks, "a"), (5, 7));
    }
}
