//! Which answers are valid for an item.

use proto::domain::Coding;
use proto::domain::answer::Value;
use serde_json::json;

use super::{as_answer, at, broken, diary_with, text};
use crate::fixtures::Report;

#[test]
fn limits_belong_to_the_range() {
    for (pain, temperature, rules) in
        [(0, 34.0, 0), (10, 43.0, 0), (-1, 33.9, 2), (11, 43.1, 2), (i64::MAX, f64::MAX, 2), (i64::MIN, f64::MIN, 2)]
    {
        let report = diary_with(&[("pain", Value::Integer(pain)), ("temperature", Value::Decimal(temperature))]);
        assert_eq!(broken(&report).len(), rules, "{pain} {temperature}");
    }
}

#[test]
fn what_is_not_finite_is_no_number() {
    for temperature in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let report = diary_with(&[("pain", Value::Integer(0)), ("temperature", Value::Decimal(temperature))]);
        assert_eq!(broken(&report), at(&[("/answers/temperature", "type")]), "{temperature}");
    }
}

#[test]
fn a_whole_number_is_an_integer_however_it_is_written() {
    for (pain, expected) in [
        (4.0, None),
        (-0.0, None),
        (4.5, Some("type")),
        (11.0, Some("range")),
        (9_223_372_036_854_775_808.0, Some("range")),
        (f64::MAX, Some("range")),
    ] {
        let report = diary_with(&[("pain", Value::Decimal(pain))]);
        let expected: Vec<_> = expected.map(|rule| ("/answers/pain".to_owned(), rule)).into_iter().collect();
        assert_eq!(broken(&report), expected, "{pain}");
    }
    let report = diary_with(&[("pain", Value::Decimal(4.0)), ("temperature", Value::Decimal(37.0))]);
    let stored = report.filled_in().into_answers();
    assert_eq!(stored["pain"].value, Some(Value::Integer(4)));
    assert_eq!(stored["temperature"].value, Some(Value::Decimal(37.0)));
}

#[test]
fn a_whole_number_beyond_64_bits_is_out_of_every_range() {
    let questionnaire = serde_json::from_value(json!({"items": [{"link_id": "a", "type": "integer"}]})).unwrap();
    let report = Report::of(questionnaire, [("a", &Value::Decimal(1e300))]);
    assert_eq!(broken(&report), at(&[("/answers/a", "range")]));
}

#[test]
fn null_is_no_answer() {
    let mut report = diary_with(&[("pain", Value::Integer(1))]);
    report.answers.insert("note".to_owned(), proto::domain::Answer { value: None });
    assert_eq!(broken(&report), []);
    assert_eq!(report.filled_in().into_answers().len(), 1);
    report.answers.insert("pain".to_owned(), proto::domain::Answer { value: None });
    assert_eq!(broken(&report), at(&[("/answers/pain", "required")]));
}

#[test]
fn a_list_or_an_object_answers_no_item() {
    for link_id in ["pain", "rescue", "temperature", "note"] {
        let mut report = Report::diary();
        report.answers.insert(link_id.to_owned(), as_answer(Value::Structure(())));
        assert_eq!(broken(&report), at(&[(&format!("/answers/{link_id}"), "type")]));
    }
}

#[test]
fn a_choice_is_one_of_its_options() {
    for (answer, expected) in [(0, None), (3, None), (4, Some("code")), (-1, Some("code")), (i64::MAX, Some("code"))] {
        let mut report = Report::phq_9([1; 9], Some(1));
        report.answers.insert("phq9-2".to_owned(), as_answer(Value::Integer(answer)));
        let expected: Vec<_> = expected.map(|rule| ("/answers/phq9-2".to_owned(), rule)).into_iter().collect();
        assert_eq!(broken(&report), expected, "{answer}");
    }
    for answer in [text("LA6568-5"), Value::Decimal(1.5), Value::Boolean(true)] {
        let mut report = Report::phq_9([1; 9], Some(1));
        report.answers.insert("phq9-2".to_owned(), as_answer(answer));
        assert_eq!(broken(&report), at(&[("/answers/phq9-2", "type")]));
    }
}

fn coding(system: &str, code: &str) -> Value {
    Value::Coding(Coding { system: system.to_owned(), code: code.to_owned() })
}

#[test]
fn a_choice_may_be_made_by_its_code() {
    let mut by_code = Report::phq_9([0; 9], None);
    by_code.answers.insert("phq9-1".to_owned(), as_answer(coding("http://loinc.org", "LA6570-1")));
    by_code.answers.insert("phq9-difficulty".to_owned(), as_answer(coding("http://loinc.org", "LA6573-5")));
    assert_eq!(broken(&by_code), []);
    let by_value = Report::phq_9([2, 0, 0, 0, 0, 0, 0, 0, 0], Some(1));
    assert_eq!(by_code.filled_in().into_answers(), by_value.answers);
}

#[test]
fn a_code_of_something_else_makes_no_choice() {
    for (system, code) in [
        ("http://loinc.org", "LA6572-7"),
        ("http://loinc.org", ""),
        ("http://snomed.info/sct", "LA6570-1"),
        ("", "LA6570-1"),
    ] {
        let mut report = Report::phq_9([0; 9], None);
        report.answers.insert("phq9-1".to_owned(), as_answer(coding(system, code)));
        assert_eq!(broken(&report), at(&[("/answers/phq9-1", "code")]), "{system} {code}");
    }
    assert_eq!(
        broken(&diary_with(&[("pain", coding("http://loinc.org", "LA6570-1"))])),
        at(&[("/answers/pain", "type")])
    );
}
