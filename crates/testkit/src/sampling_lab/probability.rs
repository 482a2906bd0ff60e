/// The number of values of a trace's random bits. These are 56 bits, the last seven bytes of its id
/// ([specification](https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/)).
const VALUES: u64 = 1 << 56;
const DIGITS: usize = 14;

/// The sampling probability of a span, from the member `ot=th:...` of its `tracestate`. The span stands for one over
/// this many. `None` when there is no such member.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn probability(trace_state: &str) -> Option<f64> {
    let member = trace_state.split(',').find_map(|member| member.trim().strip_prefix("ot="))?;
    let rejected = digits(member.split(';').find_map(|part| part.strip_prefix("th:"))?)?;
    Some((VALUES - rejected) as f64 / VALUES as f64)
}

/// Whether a sampler with this ratio keeps a trace.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number from 0 to 2^56")]
#[expect(clippy::cast_precision_loss, reason = "a power of two")]
pub(super) fn keeps(ratio: f64, trace_id: &str) -> bool {
    let random = trace_id.get(trace_id.len().saturating_sub(DIGITS)..).and_then(digits);
    random.is_some_and(|random| VALUES - random <= (ratio * VALUES as f64) as u64)
}

/// Parses hexadecimal digits whose trailing zeroes may be missing.
fn digits(text: &str) -> Option<u64> {
    let missing = DIGITS.checked_sub(text.len())?;
    Some(u64::from_str_radix(text, 16).ok()? << (4 * missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_says_how_many_a_span_stands_for() {
        for (trace_state, expected) in [
            ("ot=th:0", Some(1.0)),
            ("ot=th:8", Some(0.5)),
            ("vendor=x, ot=rv:0123456789abcd;th:c", Some(0.25)),
            ("ot=rv:0123456789abcd", None),
            ("vendor=th:8", None),
            ("ot=th:none", None),
            ("", None),
        ] {
            assert_eq!(probability(trace_state), expected, "{trace_state}");
        }
    }

    #[test]
    fn a_trace_is_kept_by_its_last_seven_bytes() {
        assert!(keeps(0.5, "00000000000000000080000000000000") && !keeps(0.5, "ffffffffffffffffff7fffffffffffff"));
        assert!(keeps(1.0, "00000000000000000000000000000000") && !keeps(0.0, "ffffffffffffffffffffffffffffffff"));
    }
}
