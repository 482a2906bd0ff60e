mod answer;
mod enabled;

use proto::domain::answer::Value;
use serde_json::json;

use super::*;
use crate::fixtures::{Report, diary, time};

fn broken(report: &Report) -> Vec<(String, &'static str)> {
    shown(broken_by_submission(&report.capture(), &report.filled_in()))
}

fn shown(broken: Vec<Broken>) -> Vec<(String, &'static str)> {
    broken.into_iter().map(|broken| (broken.pointer, broken.rule)).collect()
}

fn at(expected: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    expected.iter().map(|(pointer, rule)| ((*pointer).to_owned(), *rule)).collect()
}

fn diary_with(answers: &[(&str, Value)]) -> Report {
    Report::of(diary(), answers.iter().map(|(link_id, value)| (*link_id, value)))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn a_complete_diary_breaks_no_rule() {
    let report = diary_with(&[
        ("pain", Value::Integer(10)),
        ("rescue", Value::Boolean(true)),
        ("rescue_doses", Value::Integer(1)),
        ("temperature", Value::Integer(37)),
        ("note", text(&"ä".repeat(500))),
    ]);
    assert_eq!(broken(&report), []);
}

#[test]
fn all_broken_rules_are_reported_at_once_and_in_order() {
    let mut report = diary_with(&[
        ("pain", Value::Integer(11)),
        ("rescue_doses", Value::Integer(2)),
        ("temperature", text("hot")),
        ("note", text(&"\0".repeat(501))),
        ("mood", Value::Integer(1)),
    ])
    .captured_at("2026-03-01T08:05:01+01:00")
    .outside_windows()
    .retired_at("2026-02-01T00:00:00Z");
    report.attested = false;
    let expected = [
        ("/attested", "attested"),
        ("/captured_at", "captured-at-future"),
        ("/captured_at", "outside-window"),
        ("/assignment_id", "questionnaire-retired"),
        ("/answers", "unknown-item"),
        ("/answers/temperature", "type"),
        ("/answers/pain", "range"),
        ("/answers/note", "length"),
        ("/answers/note", "null-character"),
        ("/answers/rescue_doses", "disabled"),
    ];
    assert_eq!(broken(&report), at(&expected));
}

#[test]
fn a_capture_time_lies_between_enrolment_and_now() {
    for (captured_at, expected) in [
        ("2026-03-01T08:05:00+01:00", None),
        ("2026-01-01T00:00:00Z", None),
        ("yesterday", Some("captured-at-format")),
        ("2026-03-01T08:05:01+01:00", Some("captured-at-future")),
        ("9999-12-31T23:59:59-23:59", Some("captured-at-future")),
        ("2025-12-31T23:59:59Z", Some("captured-at-before-enrolment")),
        ("0000-01-01T00:00:00+23:59", Some("captured-at-before-enrolment")),
    ] {
        let expected: Vec<_> = expected.map(|rule| ("/captured_at".to_owned(), rule)).into_iter().collect();
        assert_eq!(broken(&Report::diary().captured_at(captured_at)), expected, "{captured_at}");
    }
}

#[test]
fn what_is_scheduled_is_captured_in_a_window() {
    assert_eq!(broken(&Report::diary().in_window("2026-03-04T00:00:00Z")), []);
    assert_eq!(broken(&Report::diary().outside_windows()), at(&[("/captured_at", "outside-window")]));
}

#[test]
fn a_report_that_comes_too_late_breaks_no_rule() {
    assert_eq!(broken(&Report::diary().in_window("2026-03-01T06:30:00Z")), []);
}

#[test]
fn a_time_that_cannot_be_read_is_in_no_window_to_be_outside_of() {
    let report = Report::diary().outside_windows().retired_at("2026-01-01T00:00:00Z").captured_at("noon");
    assert_eq!(broken(&report), at(&[("/captured_at", "captured-at-format")]));
}

#[test]
fn a_questionnaire_must_be_in_use_at_the_time_of_capture() {
    let retired = at(&[("/assignment_id", "questionnaire-retired")]);
    for (retired_at, expected) in [
        ("2026-03-01T05:59:59Z", &retired[..]),
        ("2026-03-01T06:00:00Z", &retired),
        ("2026-03-01T06:00:01Z", &[]),
        ("2026-04-01T00:00:00Z", &[]),
    ] {
        assert_eq!(broken(&Report::diary().retired_at(retired_at)), expected, "{retired_at}");
    }
}

#[test]
fn a_required_item_must_be_answered_when_it_is_enabled() {
    assert_eq!(broken(&diary_with(&[])), at(&[("/answers/pain", "required")]));
    let report = diary_with(&[("pain", Value::Integer(0)), ("rescue", Value::Boolean(true))]);
    assert_eq!(broken(&report), at(&[("/answers/rescue_doses", "required")]));
}

#[test]
fn a_blank_text_is_no_answer_to_what_is_required() {
    for (required, note, expected) in [
        (true, "", &[("/answers/note", "required")][..]),
        (true, " \t\n\u{3000}", &[("/answers/note", "required")]),
        (true, " none ", &[]),
        (false, " ", &[]),
    ] {
        let item = json!({"link_id": "note", "type": "text", "required": required});
        let questionnaire = serde_json::from_value(json!({"items": [item]})).unwrap();
        assert_eq!(broken(&Report::of(questionnaire, [("note", &text(note))])), at(expected), "{note:?}");
    }
}

#[test]
fn a_slip_in_the_name_of_an_item_is_shown_once_and_no_other_name_at_all() {
    let report = diary_with(&[
        ("pain", Value::Integer(1)),
        ("Pain", Value::Integer(1)),
        ("PAIN", Value::Integer(1)),
        ("temprature", Value::Decimal(37.0)),
        ("zebra", Value::Integer(1)),
    ]);
    let unknown = "unknown-item";
    assert_eq!(
        broken(&report),
        at(&[("/answers/PAIN", unknown), ("/answers/temprature", unknown), ("/answers", unknown)])
    );
}

#[test]
fn who_says_what_was_filled_in_says_what_the_assignment_asks_for() {
    for (named, expected) in [
        ("https://example.org/questionnaires/this|1.0", vec![]),
        ("https://example.org/questionnaires/this|1.1", at(&[("/questionnaire", "questionnaire")])),
        ("https://example.org/questionnaires/this", at(&[("/questionnaire", "questionnaire")])),
        ("", at(&[("/questionnaire", "questionnaire")])),
    ] {
        let report = Report { questionnaire: Some(named.to_owned()), ..Report::diary() };
        assert_eq!(broken(&report), expected, "{named}");
    }
}

#[test]
fn a_pointer_escapes_what_json_pointers_must() {
    let questionnaire = serde_json::from_value(json!({"items": [{"link_id": "a/b~c", "type": "text"}]})).unwrap();
    let report = Report::of(questionnaire, [("a/b~c", &Value::Integer(1))]);
    assert_eq!(broken(&report), at(&[("/answers/a~1b~0c", "type")]));
}

#[test]
fn an_amendment_keeps_to_the_rules_about_answers_and_says_why() {
    let amended = |report: &Report, reason: &str| shown(broken_by_amendment(&report.filled_in(), reason));
    let long = "ä".repeat(501);
    let report = Report::diary();
    for (reason, expected) in [
        ("a slip of the finger", &[][..]),
        (&long[..1000], &[]),
        ("", &[("/reason", "required")]),
        (" \n\u{3000}", &[("/reason", "required")]),
        (&long, &[("/reason", "length")]),
        ("\0", &[("/reason", "null-character")]),
    ] {
        assert_eq!(amended(&report, reason), at(expected), "{reason:?}");
    }
    let report = diary_with(&[("pain", Value::Integer(11))]);
    assert_eq!(amended(&report, ""), at(&[("/answers/pain", "range"), ("/reason", "required")]));
}

#[test]
fn an_amendment_is_not_judged_by_time_again() {
    let mut report = Report::diary().captured_at("noon").outside_windows().retired_at("2026-01-01T00:00:00Z");
    report.attested = false;
    report.now = time("2027-01-01T00:00:00Z");
    assert_eq!(shown(broken_by_amendment(&report.filled_in(), "a slip of the finger")), []);
}

fn as_answer(value: Value) -> proto::domain::Answer {
    proto::domain::Answer { value: Some(value) }
}

#[test]
#[ignore = "`cargo xtask costs` counts its instructions"]
fn what_a_submission_costs() {
    let times = std::env::var("TIMES").unwrap().parse().unwrap();
    let report = Report::phq_9([2, 2, 1, 1, 0, 1, 1, 0, 1], Some(1));
    for _ in 0..times {
        let report = std::hint::black_box(&report);
        assert_eq!(broken_by_submission(&report.capture(), &report.filled_in()), []);
    }
}
