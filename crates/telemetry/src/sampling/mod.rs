//! Which traces are kept: every service decides by the same random bits of a trace, and follows its caller's decision.

mod remote;
mod rules;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::future::OptionFuture;

use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SamplingDecision, SamplingResult, ShouldSample};

use crate::config::{Config, JaegerRemote, Sampler, Share, Tls};
use crate::propagation::Kept;
use crate::trace_state::{self, RANDOM, Randomness, Threshold, with_threshold};
use remote::{Remote, Verdict};
use rules::Rules;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Marks a context whose trace is not kept, even if it fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NeverKept;

/// Which spans are kept.
#[derive(Debug, Clone)]
pub(crate) struct Sampling {
    roots: Roots,
    /// Rules that take precedence over `roots`, if there can be any.
    rules: Option<Rules>,
    rules_file: Option<PathBuf>,
    follows_parents: bool,
    /// Whether traces that were not chosen are recorded, in case they fail.
    records_undecided: bool,
    /// Stops the thread that watches for changes when the last clone is dropped.
    watch: Arc<DropGuard>,
}

/// How the sampler decides on roots.
#[derive(Debug, Clone)]
enum Roots {
    /// By a threshold; `None` keeps nothing.
    Fixed(Option<Threshold>),
    /// By a remote sampling server.
    Remote(JaegerRemote, Remote),
}

impl Sampling {
    /// A sampler that follows parents decides on roots only, so that a trace is kept whole or not at all.
    pub(crate) fn new(sampler: Sampler, follows_parents: bool, config: &Config) -> Self {
        let records_undecided = matches!(sampler, Sampler::Errors(_));
        let roots = match sampler {
            Sampler::AlwaysOn => Roots::Fixed(Some(Threshold::ALL)),
            Sampler::AlwaysOff => Roots::Fixed(None),
            Sampler::Ratio(ratio) => Roots::Fixed(Threshold::of_ratio(ratio)),
            Sampler::Errors(config) => Roots::Fixed(Threshold::of_ratio(config.ratio)),
            Sampler::JaegerRemote(config) => {
                let remote = Remote::new(&config);
                Roots::Remote(config, remote)
            }
        };
        let watch = Arc::new(CancellationToken::new().drop_guard());
        let rules_file = config.rules_file.clone();
        let rules = (rules_file.is_some() || !config.rules.is_empty()).then(|| Rules::new(&config.rules));
        Self { roots, rules, rules_file, follows_parents, records_undecided, watch }
    }

    /// Starts the thread that watches for changes, if there can be any.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn watch(&self, service: &str, tls: &Tls) -> io::Result<()> {
        let remote = match self.roots.clone() {
            Roots::Remote(config, remote) => Some(remote.follow(config, service.to_owned(), tls.clone())),
            Roots::Fixed(_) => None,
        };
        let rules = self.rules.clone().zip(self.rules_file.clone()).map(|(rules, file)| rules.follow(file));
        if remote.is_none() && rules.is_none() {
            return Ok(());
        }
        let followed = async { tokio::join!(OptionFuture::from(remote), OptionFuture::from(rules)) };
        let watched = self.watch.token().clone().run_until_cancelled_owned(followed);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let name = "telemetry-sampling".to_owned();
        thread::Builder::new().name(name).spawn(move || runtime.block_on(watched))?;
        Ok(())
    }

    /// Whether spans below this context are kept if their parent is.
    pub(crate) fn follows_parent(&self, context: &Context) -> bool {
        self.follows_parents && context.get::<Kept>().is_none() && !is_adopted(context)
    }

    /// Whether spans below this context are recorded although they are not kept yet.
    pub(crate) fn records_undecided(&self, context: &Context) -> bool {
        self.records_undecided && context.get::<NeverKept>().is_none()
    }

    fn or_undecided(&self, parent: Option<&Context>, mut result: SamplingResult) -> SamplingResult {
        let undecided = || parent.map_or(self.records_undecided, |parent| self.records_undecided(parent));
        if result.decision == SamplingDecision::Drop && undecided() {
            result.decision = SamplingDecision::RecordOnly;
        }
        result
    }

    /// How long a request with this name may take until it counts as a failure.
    pub(crate) fn slow(&self, name: &str) -> Option<Duration> {
        self.rules.as_ref()?.slow(name)
    }

    fn decide(&self, parent: &SpanContext, trace_id: TraceId, name: &str) -> SamplingResult {
        let randomness = if parent.is_valid() { trace_state::randomness(parent) } else { Randomness::of(trace_id) };
        let by = |threshold: Option<Threshold>| {
            let threshold = threshold.filter(|threshold| threshold.keeps(randomness))?;
            Some(Verdict { threshold: Some(threshold), attributes: Vec::new() })
        };
        let rule = self.rules.as_ref().and_then(|rules| rules.share(name));
        let verdict = match (rule, &self.roots) {
            (Some(Share(ratio)), _) => by(Threshold::of_ratio(ratio)),
            (None, Roots::Fixed(threshold)) => by(*threshold),
            (None, Roots::Remote(_, remote)) => remote.strategy().decide(name, randomness),
        };
        let kept = verdict.is_some();
        let Verdict { threshold, attributes } = verdict.unwrap_or_default();
        let trace_state = with_threshold(parent.trace_state(), threshold);
        SamplingResult { attributes, ..result(kept, trace_state) }
    }
}

impl ShouldSample for Sampling {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let span = parent.map(TraceContextExt::span);
        let span = span.as_ref().map_or(&SpanContext::NONE, |span| span.span_context());
        if parent.is_some_and(|parent| parent.get::<Kept>().is_some()) {
            // Kept by request: its probability is unknown.
            return result(true, with_threshold(span.trace_state(), None));
        }
        if self.follows_parents && span.is_valid() && !parent.is_some_and(is_adopted) {
            return self.or_undecided(parent, result(span.is_sampled(), trace_state::inherited(span)));
        }
        self.or_undecided(parent, self.decide(span, trace_id, name))
    }
}

/// Marks a context whose parent span is a stranger's: our trace begins below it.
#[derive(Debug, Clone, Copy)]
struct Adopted(SpanId);

/// The context of a new trace below a stranger's span, of which nothing but the id is taken.
pub(crate) fn adopted(context: &Context, caller: &SpanContext) -> Context {
    let trace_id = RandomIdGenerator::default().new_trace_id();
    let parent = SpanContext::new(trace_id, caller.span_id(), RANDOM, true, TraceState::NONE);
    context.with_remote_span_context(parent).with_value(Adopted(caller.span_id()))
}

/// Whether a span in this context begins a trace of ours although it has a parent.
fn is_adopted(context: &Context) -> bool {
    context.get::<Adopted>().is_some_and(|Adopted(span_id)| context.span().span_context().span_id() == *span_id)
}

fn result(kept: bool, trace_state: TraceState) -> SamplingResult {
    let decision = if kept { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
    SamplingResult { decision, attributes: Vec::new(), trace_state }
}

#[cfg(test)]
mod tests;
