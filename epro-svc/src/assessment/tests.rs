use proto::data::{Alert, Score};
use proto::domain::answer::Value;
use serde_json::json;

use super::*;
use crate::fixtures::{Report, diary, time};

fn assessed(report: &Report) -> Assessment {
    assess(&report.filled_in(), held_because(&report.assignment, report.now))
}

/// Answers from 0 to 3 that add up to `total`.
fn adding_up_to<const ITEMS: usize>(total: i64) -> [i64; ITEMS] {
    let mut left = total;
    let answers = [(); ITEMS].map(|()| {
        let answer = left.min(3);
        left -= answer;
        answer
    });
    assert_eq!(left, 0, "{total} is too much");
    answers
}

/// Kroenke, Spitzer, Williams: The PHQ-9. J Gen Intern Med 2001;16:606-613: cut points 5, 10, 15, 20.
#[test]
fn phq_9_totals_have_the_published_severity() {
    for (total, band) in [
        (0, "minimal"),
        (4, "minimal"),
        (5, "mild"),
        (9, "mild"),
        (10, "moderate"),
        (14, "moderate"),
        (15, "moderately-severe"),
        (19, "moderately-severe"),
        (20, "severe"),
        (27, "severe"),
    ] {
        let report = Report::phq_9(adding_up_to(total), (total > 0).then_some(3));
        let total = i32::try_from(total).unwrap();
        assert_eq!(assessed(&report).score, Some(Score { total, band: Some(band.to_owned()) }));
    }
}

/// Spitzer, Kroenke, Williams, Löwe: The GAD-7. Arch Intern Med 2006;166:1092-1097: cut points 5, 10, 15.
#[test]
fn gad_7_totals_have_the_published_severity() {
    for (total, band) in [
        (0, "minimal"),
        (4, "minimal"),
        (5, "mild"),
        (9, "mild"),
        (10, "moderate"),
        (14, "moderate"),
        (15, "severe"),
        (21, "severe"),
    ] {
        let report = Report::gad_7(adding_up_to(total));
        let total = i32::try_from(total).unwrap();
        assert_eq!(assessed(&report).score, Some(Score { total, band: Some(band.to_owned()) }));
    }
}

#[test]
fn the_difficulty_item_is_not_scored() {
    let totals = [0, 3].map(|difficulty| assessed(&Report::phq_9([1; 9], Some(difficulty))).score.unwrap().total);
    assert_eq!(totals, [9, 9]);
}

#[test]
fn a_diary_has_no_score() {
    assert_eq!(assessed(&Report::diary()).score, None);
}

#[test]
fn a_total_beyond_every_scale_is_none() {
    let items: Vec<_> = ["a", "b"].map(|link_id| json!({"link_id": link_id, "type": "integer"})).to_vec();
    let definition = json!({"items": items, "scoring": {"method": "sum", "items": ["a", "b"], "bands": []}});
    for (a, b, total) in [
        (i64::MAX, i64::MAX, None),
        (i64::MIN, i64::MIN, None),
        (i64::from(i32::MAX), 1, None),
        (i64::from(i32::MAX), 0, Some(i32::MAX)),
        (i64::MAX, -i64::MAX, Some(0)),
    ] {
        let questionnaire = serde_json::from_value(definition.clone()).unwrap();
        let report = Report::of(questionnaire, [("a", &Value::Integer(a)), ("b", &Value::Integer(b))]);
        assert_eq!(assessed(&report).score.map(|score| score.total), total, "{a} {b}");
    }
}

#[test]
fn any_thought_of_self_harm_alerts() {
    let alert = Alert { rule: "needs-assessment".to_owned(), urgent: true };
    for (answer, expected) in [(0, &[][..]), (1, std::slice::from_ref(&alert)), (3, std::slice::from_ref(&alert))] {
        let mut answers = [3; 9];
        answers[8] = answer;
        assert_eq!(assessed(&Report::phq_9(answers, Some(0))).alerts, expected, "{answer}");
    }
}

#[test]
fn severe_pain_and_fever_alert() {
    for (pain, temperature, expected) in [
        (7, Value::Decimal(38.9), &[][..]),
        (8, Value::Decimal(38.9), &["severe-pain"]),
        (7, Value::Decimal(39.0), &["fever"]),
        (10, Value::Integer(39), &["severe-pain", "fever"]),
    ] {
        let report = Report::of(diary(), [("pain", &Value::Integer(pain)), ("temperature", &temperature)]);
        let alerts = assessed(&report).alerts;
        assert!(alerts.iter().all(|alert| alert.urgent));
        assert_eq!(alerts.into_iter().map(|alert| alert.rule).collect::<Vec<_>>(), expected, "{pain} {temperature:?}");
    }
}

#[test]
fn conditions_of_one_rule_make_one_alert() {
    let alert = |operator: &str, urgent: bool| json!({"id": "pain", "link_id": "pain", "operator": operator, "answer": 8, "urgent": urgent});
    let items = json!([{"link_id": "pain", "type": "integer"}]);
    let definition = json!({"items": items, "alerts": [alert("=", false), alert(">=", true)]});
    let report = Report::of(serde_json::from_value(definition).unwrap(), [("pain", &Value::Integer(8))]);
    assert_eq!(assessed(&report).alerts, [Alert { rule: "pain".to_owned(), urgent: true }]);
}

#[test]
fn an_item_that_is_not_answered_alerts_nobody() {
    assert_eq!(assessed(&Report::diary()).alerts, []);
}

#[test]
fn a_report_is_late_from_the_end_of_its_sync_time_on() {
    for (now, held_because) in [
        ("2026-03-04T06:59:59.999999Z", &[][..]),
        ("2026-03-04T07:00:00Z", &["late"]),
        ("2027-01-01T00:00:00Z", &["late"]),
    ] {
        let mut report = Report::diary().in_window("2026-03-04T07:00:00Z");
        report.now = time(now);
        let assessment = assessed(&report);
        assert_eq!(assessment.held_because, held_because, "{now}");
        assert_eq!(assessment.disposition() == Disposition::Held, !held_because.is_empty(), "{now}");
    }
}

#[test]
fn what_may_be_captured_at_any_time_is_never_late() {
    let mut report = Report::diary();
    report.now = time("2036-01-01T00:00:00Z");
    assert_eq!(assessed(&report).disposition(), Disposition::Accepted);
}

#[test]
fn a_report_is_held_when_its_questionnaire_was_retired_on_the_way() {
    // Captured at 06:00, received at 07:00.
    for (retired_at, held) in
        [("2026-03-01T06:00:01Z", true), ("2026-03-01T07:00:00Z", true), ("2026-03-01T07:00:01Z", false)]
    {
        let expected: &[&str] = if held { &["questionnaire-retired"] } else { &[] };
        assert_eq!(assessed(&Report::diary().retired_at(retired_at)).held_because, expected, "{retired_at}");
    }
}

#[test]
fn a_report_is_held_when_its_study_closed_on_the_way() {
    let report = Report::diary().closed_at("2026-03-01T06:30:00Z", "2026-03-04T06:30:00Z");
    assert_eq!(assessed(&report).held_because, ["study-closed"]);
}

#[test]
fn a_held_report_has_all_reasons_and_its_score_and_alerts() {
    let mut report =
        Report::phq_9([3; 9], Some(3)).in_window("2026-03-02T00:00:00Z").retired_at("2026-03-02T00:00:00Z");
    report.now = time("2026-03-03T00:00:00Z");
    let assessment = assessed(&report);
    assert_eq!(assessment.held_because, ["late", "questionnaire-retired"]);
    assert_eq!(assessment.score.map(|score| score.total), Some(27));
    assert_eq!(assessment.alerts.len(), 1);
}
