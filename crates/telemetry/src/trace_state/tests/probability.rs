use opentelemetry::trace::{TraceFlags, TraceState};
use proptest::prelude::*;

use super::{remote, text};
use crate::trace_state::probability::{inherited, threshold, with_threshold};
use crate::trace_state::threshold::Threshold;

/// `tracestate` as it was received.
fn state(text: &str) -> TraceState {
    remote(1, TraceFlags::SAMPLED, text).trace_state().clone()
}

fn quarter() -> Option<Threshold> {
    Threshold::of_ratio(0.25)
}

#[test]
fn a_threshold_comes_to_what_others_have_said_and_takes_nothing_away() {
    for (before, after) in [
        ("", "ot=th:c"),
        ("a=1", "ot=th:c,a=1"),
        ("a=1,ot=th:8;rv:00000000000001", "ot=th:c;rv:00000000000001,a=1"),
        ("ot=xy:1;th:8;z:", "ot=th:c;xy:1;z:"),
        ("ot=th:8;th:9", "ot=th:c"),
        ("foo@@bar=1,ot=th:8", "ot=th:c,foo@@bar=1"),
        ("ot@vendor=th:8", "ot=th:c,ot@vendor=th:8"),
    ] {
        assert_eq!(text(&with_threshold(&state(before), quarter())), after, "{before}");
    }
}

#[test]
fn a_threshold_that_is_taken_away_leaves_what_others_have_said() {
    for (before, after) in
        [("", ""), ("a=1", "a=1"), ("ot=th:8", ""), ("ot=th:8,a=1", "a=1"), ("a=1,ot=th:8;xy:1", "ot=xy:1,a=1")]
    {
        assert_eq!(text(&with_threshold(&state(before), None)), after, "{before}");
    }
}

#[test]
fn a_member_that_is_no_list_says_nothing_and_goes() {
    for malformed in ["th", "th:8;", ";th:8", "TH:8", "th:8;x:a b", "1h:8", "th:8;:1", "th:8;rv"] {
        let state = state(&format!("ot={malformed},a=1"));
        assert_eq!(threshold(&state), None, "{malformed}");
        assert_eq!(text(&with_threshold(&state, quarter())), "ot=th:c,a=1", "{malformed}");
        assert_eq!(text(&inherited(&remote(1, TraceFlags::SAMPLED, &format!("ot={malformed},a=1")))), "a=1");
    }
    for value in ["th:C", "th:", "th:123456789012345", "th:8;th:8", "th:x"] {
        assert_eq!(threshold(&state(&format!("ot={value}"))), None, "{value}");
    }
}

#[test]
fn a_threshold_that_does_not_fit_the_callers_decision_is_not_handed_on() {
    let (kept, dropped) = (TraceFlags::SAMPLED, TraceFlags::NOT_SAMPLED);
    for (low, flags, before, after) in [
        (0xc0_0000_0000_0000, kept, "ot=th:c", "ot=th:c"),
        (0xbf_ffff_ffff_ffff, kept, "ot=th:c", ""),
        (0xbf_ffff_ffff_ffff, kept, "ot=th:c;rv:c0000000000000", "ot=th:c;rv:c0000000000000"),
        (0xc0_0000_0000_0000, dropped, "ot=th:c;xy:1", "ot=xy:1"),
        (0xbf_ffff_ffff_ffff, dropped, "ot=th:c", "ot=th:c"),
    ] {
        assert_eq!(text(&inherited(&remote(low, flags, before))), after, "{low:x} {before}");
    }
}

#[test]
fn a_list_that_is_full_loses_its_last_members_and_not_the_threshold() {
    let others: Vec<_> = (10..42).map(|number| format!("a{number}=1")).collect();
    let members = text(&with_threshold(&state(&others.join(",")), quarter()));
    assert_eq!(members, format!("ot=th:c,{}", others[..31].join(",")));
    let others: Vec<_> = (10..30).map(|number| format!("a{number}={}", "x".repeat(20))).collect();
    let members = text(&with_threshold(&state(&others.join(",")), quarter()));
    assert!(members.len() <= 512 && members.starts_with("ot=th:c,a10="), "{members}");
}

#[test]
fn where_there_is_no_room_for_a_threshold_the_others_stay() {
    let others = format!("xy:{}", "1".repeat(250));
    assert_eq!(text(&with_threshold(&state(&format!("ot={others}")), quarter())), format!("ot={others}"));
}

proptest! {
    #[test]
    fn whatever_others_have_said_stays_within_the_limits_and_is_read_again(
        members in prop::collection::vec(("[a-z]{1,3}(@@?[a-z]{1,3})?|ot", "[ -+--<>-~]{0,40}[!-+--<>-~]|th:[0-9a-f]{1,14}"), 0..32)
    ) {
        let list: Vec<_> = members.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let state = state(&list.join(","));
        let marked = with_threshold(&state, quarter());
        prop_assert_eq!(threshold(&marked), quarter());
        let written = text(&marked);
        prop_assert!(written.len() <= 512);
        prop_assert_eq!(text(&self::state(&written)), written);
        let own = |text: &str| text.split(',').filter(|member| !member.starts_with("ot=")).map(str::to_owned).collect::<Vec<_>>();
        let (before, after) = (own(&text(&state)), own(&text(&marked)));
        let whole = if before == [""] { after.is_empty() } else { before.starts_with(&after) };
        prop_assert!(whole || before.len() > after.len());
    }
}
