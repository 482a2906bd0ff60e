use serde_json::json;

use super::*;

/// The items of the daily symptom diary.
fn diary() -> serde_json::Result<Questionnaire> {
    serde_json::from_value(json!({"items": [
        {"link_id": "pain", "type": "integer", "min": 0, "max": 10, "required": true},
        {"link_id": "rescue", "type": "boolean"},
        {"link_id": "rescue_doses", "type": "integer", "min": 1, "max": 20, "required": true,
         "enable_when": {"link_id": "rescue", "equals": true}},
        {"link_id": "temperature", "type": "decimal", "min": 34.0, "max": 43.0},
        {"link_id": "note", "type": "text", "max_length": 5}
    ]}))
}

fn broken(answers: &[(&str, Value)]) -> serde_json::Result<Vec<(String, &'static str)>> {
    broken_of(answers, "2026-03-01T08:00:00+01:00", true)
}

fn broken_of(
    answers: &[(&str, Value)],
    captured_at: &str,
    attested: bool,
) -> serde_json::Result<Vec<(String, &'static str)>> {
    let questionnaire = diary()?;
    let answers =
        answers.iter().map(|(link_id, value)| ((*link_id).to_owned(), Answer { value: Some(value.clone()) })).collect();
    let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap_or_default();
    let submission = Submission {
        questionnaire: &questionnaire,
        enrolled_at: time("2026-01-01T00:00:00Z"),
        now: time("2026-03-01T07:00:00Z"),
        captured_at,
        attested,
        answers: &answers,
    };
    Ok(broken_by(&submission).into_iter().map(|broken| (broken.pointer, broken.rule)).collect())
}

type Outcome = serde_json::Result<()>;

#[test]
fn a_complete_diary_breaks_no_rule() -> Outcome {
    let answers = [
        ("pain", Value::Integer(10)),
        ("rescue", Value::Boolean(true)),
        ("rescue_doses", Value::Integer(1)),
        ("temperature", Value::Integer(37)),
        ("note", Value::Text("ärger".to_owned())),
    ];
    assert_eq!(broken(&answers)?, []);
    Ok(())
}

#[test]
fn all_broken_rules_are_reported_at_once() -> Outcome {
    let answers = [
        ("pain", Value::Integer(11)),
        ("rescue_doses", Value::Integer(2)),
        ("temperature", Value::Text("hot".to_owned())),
        ("note", Value::Text("\0 too long".to_owned())),
        ("mood", Value::Integer(1)),
    ];
    let expected = [
        ("/attested", "attested"),
        ("/captured_at", "captured-at-future"),
        ("/answers", "unknown-item"),
        ("/answers/temperature", "type"),
        ("/answers/pain", "range"),
        ("/answers/note", "length"),
        ("/answers/note", "null-character"),
        ("/answers/rescue_doses", "disabled"),
    ];
    let expected = expected.map(|(pointer, rule)| (pointer.to_owned(), rule));
    assert_eq!(broken_of(&answers, "2026-03-01T08:05:01+01:00", false)?, expected);
    Ok(())
}

#[test]
fn a_required_item_must_be_answered_when_it_is_enabled() -> Outcome {
    assert_eq!(broken(&[])?, [("/answers/pain".to_owned(), "required")]);
    let answers = [("pain", Value::Integer(0)), ("rescue", Value::Boolean(true))];
    assert_eq!(broken(&answers)?, [("/answers/rescue_doses".to_owned(), "required")]);
    Ok(())
}

#[test]
fn limits_belong_to_the_range() -> Outcome {
    for (pain, temperature, rules) in
        [(0, 34.0, 0), (10, 43.0, 0), (-1, 33.9, 2), (11, 43.1, 2), (i64::MAX, f64::MAX, 2)]
    {
        let answers = [("pain", Value::Integer(pain)), ("temperature", Value::Decimal(temperature))];
        assert_eq!(broken(&answers)?.len(), rules, "{pain} {temperature}");
    }
    Ok(())
}

#[test]
fn a_capture_time_needs_an_offset_and_lies_between_enrolment_and_now() -> Outcome {
    for (captured_at, rule) in [
        ("2026-03-01T08:05:00+01:00", None),
        ("2026-01-01T00:00:00Z", None),
        ("2026-03-01T08:00:00", Some("captured-at-format")),
        ("2027-02-29T08:00:00Z", Some("captured-at-format")),
        ("2026-02-28T24:00:00Z", Some("captured-at-format")),
        ("2026-03-01 08:00:00Z", Some("captured-at-format")),
        ("2026-03-01T08:00:00\u{2212}01:00", Some("captured-at-format")),
        ("yesterday", Some("captured-at-format")),
        ("2026-03-01T08:05:01+01:00", Some("captured-at-future")),
        ("2025-12-31T23:59:59Z", Some("captured-at-before-enrolment")),
    ] {
        let broken = broken_of(&[("pain", Value::Integer(1))], captured_at, true)?;
        assert_eq!(broken.first().map(|broken| broken.1), rule, "{captured_at}");
    }
    Ok(())
}
