use opentelemetry::trace::TraceId;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use proptest::prelude::*;

use crate::trace_state::threshold::{Randomness, Threshold};

fn of(ratio: f64) -> Threshold {
    Threshold::of_ratio(ratio).unwrap()
}

/// Pseudo-random numbers: spread like random ones, but the same in every run.
fn spread(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

fn trace(number: u64) -> TraceId {
    TraceId::from(u128::from(spread(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))) | 1 << 100)
}

#[test]
fn thresholds_are_those_of_the_specifications_table() {
    for (one_in, threshold) in [
        (1, "0"),
        (2, "8"),
        (3, "aaab"),
        (4, "c"),
        (5, "cccd"),
        (8, "e"),
        (10, "e666"),
        (16, "f"),
        (100, "fd70a"),
        (1_000, "ffbe77"),
        (10_000, "fff9724"),
        (100_000, "ffff583a"),
        (1_000_000, "ffffef39"),
    ] {
        assert_eq!(of(1.0 / f64::from(one_in)).to_string(), threshold, "1 in {one_in}");
    }
}

#[test]
fn nothing_is_kept_of_less_than_one_in_two_to_the_56th() {
    assert_eq!(Threshold::of_ratio(0.0), None);
    assert_eq!(Threshold::of_ratio(2_f64.powi(-58)), None);
    assert_eq!(of(2_f64.powi(-56)).to_string(), "ffffffffffffff");
    assert!(of(2_f64.powi(-56)).keeps(Randomness::of(TraceId::from(u128::MAX))));
}

#[test]
fn zeroes_at_the_end_may_be_missing_and_nothing_else() {
    for text in ["c", "c0", "c0000000000000"] {
        assert_eq!(Threshold::parse(text), Some(of(0.25)), "{text}");
    }
    for text in ["0", "00000000000000"] {
        assert_eq!(Threshold::parse(text), Some(Threshold::ALL), "{text}");
    }
    for text in ["", "C", "c000000000000000", "+c", "0x8", "g", " 8", "8 ", "é"] {
        assert_eq!(Threshold::parse(text), None, "{text}");
    }
}

#[test]
fn as_many_are_kept_as_the_ratio_says_and_those_tell_how_many_there_were() {
    const TRACES: u32 = 100_000;
    for ratio in [0.5, 0.05, 0.01] {
        let threshold = of(ratio);
        let kept = (0..TRACES).filter(|number| threshold.keeps(Randomness::of(trace((*number).into())))).count();
        let kept = f64::from(u32::try_from(kept).unwrap());
        // The traces are the same in every run, and so is the deviation. Five standard deviations are a generous bound.
        let deviation = (f64::from(TRACES) * ratio * (1.0 - ratio)).sqrt();
        assert!((kept - f64::from(TRACES) * ratio).abs() < 5.0 * deviation, "{kept} of {ratio}");
        let counted = kept * threshold.adjusted_count();
        assert!((counted - f64::from(TRACES)).abs() < 5.0 * deviation / ratio, "{counted} counted at {ratio}");
    }
}

#[test]
fn the_ids_that_are_made_here_are_as_random_as_the_flag_says() {
    let mut seen = [0_u64; 2];
    for _ in 0..64 {
        let bytes = RandomIdGenerator::default().new_trace_id().to_bytes();
        let low = u64::from_be_bytes(bytes[8..].try_into().unwrap()) & ((1 << 56) - 1);
        seen[0] |= low;
        seen[1] |= !low & ((1 << 56) - 1);
    }
    // Each bit was both one and zero. By chance this fails with a probability of 2^-57.
    assert_eq!(seen, [(1 << 56) - 1; 2]);
}

proptest! {
    #[test]
    fn a_threshold_is_read_as_it_was_written(ratio in 1e-16_f64..=1.0) {
        let threshold = of(ratio);
        let text = threshold.to_string();
        prop_assert_eq!(Threshold::parse(&text), Some(threshold));
        prop_assert!(text == "0" || !text.ends_with('0'), "{}", text);
        prop_assert!((1..=14).contains(&text.len()));
    }

    #[test]
    fn a_threshold_is_as_precise_as_four_digits_are(ratio in 1e-12_f64..=1.0) {
        let error = (1.0 / of(ratio).adjusted_count() - ratio).abs();
        // Half of the last digit: relative to the kept share if it is small, and to the whole if it is large.
        prop_assert!(error <= ratio.min(1.0 / 16.0) / 2_f64.powi(12) * 1.001 , "{} off at {}", error, ratio);
    }

    #[test]
    fn what_a_smaller_ratio_keeps_every_larger_one_keeps(one in 0.0_f64..=1.0, other in 0.0_f64..=1.0, trace: u128) {
        let keeps = |ratio| Threshold::of_ratio(ratio).is_some_and(|it| it.keeps(Randomness::of(TraceId::from(trace))));
        prop_assert!(!keeps(one.min(other)) || keeps(one.max(other)));
    }
}
