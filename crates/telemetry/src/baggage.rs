use std::future::Future;

use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt};

use crate::attached::Attached;
use crate::telemetry::here;

/// A value of the baggage that came with the current request, if [`crate::Trust`] let it in.
pub fn baggage(key: &str) -> Option<String> {
    Context::map_current(|context| context.baggage().get(key).map(ToString::to_string))
}

/// Runs a future with one more baggage member. Calls made by the future and by tasks that it spawns carry the member,
/// where [`crate::Trust`] lets it out.
pub async fn with_baggage<F: Future>(key: &'static str, value: impl Into<String>, future: F) -> F::Output {
    let (_, here) = here();
    let members = here.baggage().iter();
    let mut baggage: Baggage = members.map(|(key, value)| (key.clone(), value.clone())).collect();
    baggage.insert(key, value.into());
    Attached::new(here.with_baggage(baggage), future).await
}
