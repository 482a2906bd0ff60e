mod rules;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

use super::{Sampling, adopted};
use crate::config::{Config, Sampler};
use crate::propagation::Kept;
use crate::trace_state::RANDOM;
use crate::trace_state::tests::{remote, text};

fn sampling(sampler: Sampler, follows_parents: bool) -> Sampling {
    Sampling::new(sampler, follows_parents, &Config::new("shop"))
}

fn ask(sampling: &Sampling, parent: &Context, trace_id: TraceId) -> SamplingResult {
    sampling.should_sample(Some(parent), trace_id, "work", &SpanKind::Internal, &[], &[])
}

fn is_kept(result: &SamplingResult) -> bool {
    result.decision == SamplingDecision::RecordAndSample
}

#[test]
fn a_root_says_by_which_threshold_it_was_kept_and_says_nothing_if_it_was_not() {
    let root = |sampler, low: u128| {
        let result = ask(&sampling(sampler, true), &Context::new(), TraceId::from(low));
        (is_kept(&result), text(&result.trace_state))
    };
    assert_eq!(root(Sampler::AlwaysOn, 1), (true, "ot=th:0".to_owned()));
    assert_eq!(root(Sampler::AlwaysOff, 1), (false, String::new()));
    assert_eq!(root(Sampler::Ratio(0.0), u128::MAX), (false, String::new()));
    assert_eq!(root(Sampler::Ratio(0.25), 0xc0_0000_0000_0000), (true, "ot=th:c".to_owned()));
    assert_eq!(root(Sampler::Ratio(0.25), 0xbf_ffff_ffff_ffff), (false, String::new()));
    assert_eq!(root(Sampler::Ratio(0.25), 0xff00_0000_0000_0000), (false, String::new()), "only 56 bits count");
}

#[test]
fn a_child_follows_its_parent_and_says_what_that_has_said() {
    let sampling = sampling(Sampler::Ratio(0.5), true);
    for (flags, state, kept, said) in [
        (TraceFlags::SAMPLED, "ot=th:c,a=1", true, "ot=th:c,a=1"),
        (TraceFlags::SAMPLED | RANDOM, "a=1", true, "a=1"),
        (RANDOM, "a=1", false, "a=1"),
        (TraceFlags::SAMPLED, "", true, ""),
    ] {
        let parent = remote(0xd0_0000_0000_0000, flags, state);
        let result = ask(&sampling, &Context::new().with_remote_span_context(parent.clone()), parent.trace_id());
        assert_eq!((is_kept(&result), text(&result.trace_state)), (kept, said.to_owned()), "{state}");
    }
}

#[test]
fn a_sampler_that_follows_nobody_replaces_the_threshold_and_goes_by_the_explicit_randomness() {
    let decide = |ratio, state: &str| {
        let parent = remote(0, TraceFlags::SAMPLED, state);
        let sampling = sampling(Sampler::Ratio(ratio), false);
        let result = ask(&sampling, &Context::new().with_remote_span_context(parent.clone()), parent.trace_id());
        (is_kept(&result), text(&result.trace_state))
    };
    assert_eq!(decide(0.25, "ot=th:8;rv:c0000000000000"), (true, "ot=th:c;rv:c0000000000000".to_owned()));
    assert_eq!(decide(0.25, "a=1,ot=th:8;rv:bfffffffffffff"), (false, "ot=rv:bfffffffffffff,a=1".to_owned()));
    assert_eq!(decide(0.25, "ot=rv:C0000000000000"), (false, "ot=rv:C0000000000000".to_owned()), "no randomness");
    assert_eq!(decide(0.25, "ot=rv:c000000000000"), (false, "ot=rv:c000000000000".to_owned()), "no randomness");
}

#[test]
fn what_is_kept_by_hand_stands_for_an_unknown_number() {
    let parent = remote(0xff_ffff_ffff_ffff, TraceFlags::SAMPLED, "ot=th:8;rv:ffffffffffffff,a=1");
    let context = Context::new().with_remote_span_context(parent.clone()).with_value(Kept);
    let result = ask(&sampling(Sampler::AlwaysOff, true), &context, parent.trace_id());
    assert!(is_kept(&result));
    assert_eq!(text(&result.trace_state), "ot=rv:ffffffffffffff,a=1");
}

#[test]
fn a_trace_below_a_strangers_span_is_decided_on_as_one_without_a_parent_and_what_is_below_follows() {
    let stranger = remote(0xff_ffff_ffff_ffff, TraceFlags::SAMPLED, "");
    let context = adopted(&Context::new(), &stranger);
    let parent = context.span().span_context().clone();
    assert_ne!(parent.trace_id(), stranger.trace_id());
    assert_eq!(parent.span_id(), stranger.span_id());
    for (sampler, kept) in [(Sampler::AlwaysOff, false), (Sampler::AlwaysOn, true)] {
        let sampling = sampling(sampler, true);
        assert!(!sampling.follows_parent(&context));
        assert_eq!(is_kept(&ask(&sampling, &context, parent.trace_id())), kept);
        let below = SpanContext::new(parent.trace_id(), SpanId::from(7), RANDOM, false, TraceState::NONE);
        assert!(sampling.follows_parent(&context.with_remote_span_context(below)));
    }
}
