use opentelemetry::trace::TraceFlags;

use super::remote;
use crate::trace_state::{self, RANDOM, packed, packed_threshold, unpacked};

const HIGH: u64 = 0xff_ffff_ffff_ffff;
const KEPT: TraceFlags = TraceFlags::SAMPLED;

#[test]
fn a_lone_threshold_is_packed_and_written_as_it_came() {
    for (low, flags, state) in [(HIGH, KEPT, "ot=th:0"), (HIGH, KEPT, "ot=th:fd70a"), (0, RANDOM, "ot=th:8")] {
        let packed = packed(remote(low, flags, state));
        assert!(packed_threshold(&packed).is_some(), "{state}");
        assert_eq!(trace_state::text(&packed), state);
        assert_eq!(unpacked(&packed), remote(low, flags, state));
    }
}

#[test]
fn what_says_more_or_something_else_is_left_as_it_is() {
    for (low, state) in [
        (HIGH, ""),
        (HIGH, "a=1"),
        (HIGH, "ot=th:8,a=1"),
        (HIGH, "ot=th:8;rv:ffffffffffffff"),
        (HIGH, "ot=th:80"),
        (HIGH, "ot=th:x"),
        (0, "ot=th:8"),
    ] {
        let span = remote(low, KEPT, state);
        assert_eq!(packed(span.clone()), span, "{state}");
    }
}
