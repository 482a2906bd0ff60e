//! Which traces are kept: every service decides by the same random bits of a trace, and follows who has decided before.

mod packed;
mod state;
mod threshold;

use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

use crate::config::Sampler;
use crate::propagation::Kept;
pub(crate) use packed::{KNOWN_FLAGS, packed, packed_threshold, unpacked};
use threshold::{Randomness, Threshold};

/// Which spans are kept.
#[derive(Debug, Clone)]
pub(crate) struct Sampling {
    /// None where nothing is kept.
    threshold: Option<Threshold>,
    follows_parents: bool,
}

impl Sampling {
    /// One that follows parents decides on roots only, so that a trace is kept whole or not at all.
    pub(crate) fn new(sampler: Sampler, follows_parents: bool) -> Self {
        let threshold = match sampler {
            Sampler::AlwaysOn => Some(Threshold::ALL),
            Sampler::AlwaysOff => None,
            Sampler::Ratio(ratio) => Threshold::of_ratio(ratio),
        };
        Self { threshold, follows_parents }
    }

    /// Whether spans below this context are kept if their parent is.
    pub(crate) fn follows_parent(&self, context: &Context) -> bool {
        self.follows_parents && context.get::<Kept>().is_none()
    }

    /// The `tracestate` of a span that follows its parent.
    pub(crate) fn inherited(parent: &SpanContext) -> TraceState {
        state::inherited(parent)
    }

    fn decide(&self, parent: &SpanContext, trace_id: TraceId) -> SamplingResult {
        let randomness = if parent.is_valid() { state::randomness(parent) } else { Randomness::of(trace_id) };
        let kept = self.threshold.filter(|threshold| threshold.keeps(randomness));
        result(kept.is_some(), state::with_threshold(parent.trace_state(), kept))
    }
}

impl ShouldSample for Sampling {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let span = parent.map(TraceContextExt::span);
        let span = span.as_ref().map_or(&SpanContext::NONE, |span| span.span_context());
        if parent.is_some_and(|parent| parent.get::<Kept>().is_some()) {
            // Kept by hand: nobody knows how many others it stands for.
            return result(true, state::with_threshold(span.trace_state(), None));
        }
        if self.follows_parents && span.is_valid() {
            return result(span.is_sampled(), state::inherited(span));
        }
        self.decide(span, trace_id)
    }
}

fn result(kept: bool, trace_state: TraceState) -> SamplingResult {
    let decision = if kept { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
    SamplingResult { decision, attributes: Vec::new(), trace_state }
}

#[cfg(test)]
mod tests;
