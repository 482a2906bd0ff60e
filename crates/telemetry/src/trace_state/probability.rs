//! The member `ot` of `tracestate`, where OpenTelemetry says with which probability a trace was kept
//! ([specification](https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/)).

use opentelemetry::trace::{SpanContext, TraceState};

use super::list;
use super::threshold::{Randomness, Threshold};

const KEY: &str = "ot";

/// The longest value of the member.
const LONGEST: usize = 256;

/// The random bits of a trace.
pub(crate) fn randomness(span: &SpanContext) -> Randomness {
    let explicit = only(members(span.trace_state()), "rv").and_then(Randomness::parse);
    explicit.unwrap_or_else(|| Randomness::of(span.trace_id()))
}

/// The threshold that a trace was kept by, if it is known.
pub(super) fn threshold(state: &TraceState) -> Option<Threshold> {
    only(members(state), "th").and_then(Threshold::parse)
}

/// The same with another threshold, or with none; everything else stays. An invalid member `ot` is left out.
pub(crate) fn with_threshold(state: &TraceState, threshold: Option<Threshold>) -> TraceState {
    let present = state.get(KEY);
    if present.is_none() && threshold.is_none() {
        return state.clone();
    }
    let others = members(state).filter(|(key, _)| *key != "th").map(|(key, value)| format!("{key}:{value}"));
    let own = threshold.map(|threshold| format!("th:{threshold}"));
    let value = own.into_iter().chain(others).collect::<Vec<_>>().join(";");
    if *state == TraceState::NONE {
        return TraceState::NONE.insert(KEY, value).unwrap_or_default();
    }
    // The value would be too long. The other keys stay, and the probability is unknown.
    if value.len() > LONGEST {
        return with_threshold(state, None);
    }
    list::with(state, KEY, &value)
}

/// The threshold of a place that has nothing else in its `tracestate`, if it fits the sampling decision.
pub(super) fn lone_threshold(span: &SpanContext) -> Option<Threshold> {
    let state = span.trace_state();
    let text = state.get(KEY).filter(|_| state.into_iter().len() == 1)?.strip_prefix("th:")?;
    let threshold = Threshold::parse(text)?;
    let is_as_written_here = text == "0" || !text.ends_with('0');
    (is_as_written_here && threshold.keeps(Randomness::of(span.trace_id())) == span.is_sampled()).then_some(threshold)
}

/// The `tracestate` of a child span, which shares the sampling decision of its parent. A threshold that is invalid or
/// does not fit the decision is left out.
pub(crate) fn inherited(parent: &SpanContext) -> TraceState {
    let state = parent.trace_state();
    if !parent.is_remote() || state.get(KEY).is_none() {
        return state.clone();
    }
    let fits = |threshold: &Threshold| threshold.keeps(randomness(parent)) == parent.is_sampled();
    with_threshold(state, threshold(state).filter(fits))
}

/// The members of `ot`, if all of them are well formed.
fn members(state: &TraceState) -> impl Iterator<Item = (&str, &str)> {
    let text = state.get(KEY).filter(|text| text.split(';').all(|member| self::member(member).is_some()));
    text.into_iter().flat_map(|text| text.split(';')).filter_map(member)
}

fn member(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once(':')?;
    let is_key = key.starts_with(|first: char| first.is_ascii_lowercase())
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_value = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    (is_key && is_value).then_some((key, value))
}

/// The value of a key that occurs once. If it occurs several times, none is trusted.
fn only<'a>(members: impl Iterator<Item = (&'a str, &'a str)>, key: &str) -> Option<&'a str> {
    let mut values = members.filter(|(other, _)| *other == key).map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}
