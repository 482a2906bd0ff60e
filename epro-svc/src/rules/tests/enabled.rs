//! Items that are enabled only by certain answers.

use proto::domain::answer::Value;
use serde_json::json;

use super::{as_answer, at, broken, text};
use crate::fixtures::Report;

#[test]
fn the_difficulty_item_is_asked_if_anything_was_a_problem() {
    assert_eq!(broken(&Report::phq_9([0; 9], None)), []);
    assert_eq!(broken(&Report::phq_9([0; 9], Some(0))), at(&[("/answers/phq9-difficulty", "disabled")]));
    for problem in 0..9 {
        let mut answers = [0; 9];
        answers[problem] = 1;
        assert_eq!(broken(&Report::phq_9(answers, Some(0))), [], "{problem}");
        assert_eq!(broken(&Report::phq_9(answers, None)), at(&[("/answers/phq9-difficulty", "required")]), "{problem}");
    }
}

/// Boolean items `a`, `b`, ..., all answered with true. Each is enabled when another one, if any, is true.
fn chained(enabled_by: &[(&str, Option<&str>)]) -> Report {
    let items: Vec<_> = enabled_by
        .iter()
        .map(|(link_id, by)| {
            let by: Vec<_> = by.iter().map(|by| json!({"link_id": by, "operator": "=", "answer": true})).collect();
            json!({"link_id": link_id, "type": "boolean", "enable_when": by})
        })
        .collect();
    let questionnaire = serde_json::from_value(json!({"items": items})).unwrap();
    Report::of(questionnaire, enabled_by.iter().map(|(link_id, _)| (*link_id, &Value::Boolean(true))))
}

#[test]
fn an_answer_to_a_disabled_item_enables_nothing() {
    assert_eq!(broken(&chained(&[("c", Some("b")), ("b", Some("a")), ("a", None)])), []);
    let mut report = chained(&[("c", Some("b")), ("b", Some("a")), ("a", None)]);
    report.answers.insert("a".to_owned(), as_answer(Value::Boolean(false)));
    assert_eq!(broken(&report), at(&[("/answers/c", "disabled"), ("/answers/b", "disabled")]));
}

#[test]
fn items_that_only_enable_each_other_stay_disabled() {
    assert_eq!(broken(&chained(&[("a", Some("a"))])), at(&[("/answers/a", "disabled")]));
    let circle = chained(&[("a", Some("b")), ("b", Some("a")), ("c", None)]);
    assert_eq!(broken(&circle), at(&[("/answers/a", "disabled"), ("/answers/b", "disabled")]));
    assert_eq!(broken(&chained(&[("a", Some("nobody"))])), at(&[("/answers/a", "disabled")]));
}

#[test]
fn an_item_without_conditions_is_asked() {
    for behavior in ["any", "all"] {
        let item = json!({"link_id": "a", "type": "text", "enable_when": [], "enable_behavior": behavior});
        let questionnaire = serde_json::from_value(json!({"items": [item]})).unwrap();
        assert_eq!(broken(&Report::of(questionnaire, [("a", &text("asked"))])), [], "{behavior}");
    }
}
