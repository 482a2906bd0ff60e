use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{self as sdk, SamplingDecision, SamplingResult, ShouldSample};

use crate::config::Sampler;
use crate::propagation::Kept;

/// Which spans are kept.
#[derive(Debug, Clone)]
pub(crate) struct Sampling {
    sampler: sdk::Sampler,
    follows_parents: bool,
}

impl Sampling {
    /// One that follows parents asks its sampler about roots only, so that a trace is kept whole or not at all.
    pub(crate) fn new(sampler: Sampler, follows_parents: bool) -> Self {
        let sampler = match sampler {
            Sampler::AlwaysOn => sdk::Sampler::AlwaysOn,
            Sampler::AlwaysOff => sdk::Sampler::AlwaysOff,
            Sampler::Ratio(ratio) => sdk::Sampler::TraceIdRatioBased(ratio),
        };
        let sampler = if follows_parents { sdk::Sampler::ParentBased(Box::new(sampler)) } else { sampler };
        Self { sampler, follows_parents }
    }

    /// Whether spans below this context are kept if their parent is.
    pub(crate) fn follows_parent(&self, context: &Context) -> bool {
        self.follows_parents && context.get::<Kept>().is_none()
    }
}

impl ShouldSample for Sampling {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        if let Some(parent) = parent
            && parent.get::<Kept>().is_some()
        {
            return SamplingResult {
                decision: SamplingDecision::RecordAndSample,
                attributes: Vec::new(),
                trace_state: parent.span().span_context().trace_state().clone(),
            };
        }
        self.sampler.should_sample(parent, trace_id, name, kind, attributes, links)
    }
}
