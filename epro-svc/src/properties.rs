//! Properties that hold for every report.

use std::collections::HashMap;

use chrono::DateTime;
use proptest::array::uniform9;
use proptest::collection::{hash_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proto::Captured;
use proto::data::Assessment;
use proto::domain::answer::Value;
use proto::domain::{self, Answer, Coding};
use serde_json::{Value as Json, json};

use crate::assessment::{assess, held_because};
use crate::assignment::{Schedule, Window};
use crate::fixtures::{Report, time};
use crate::rules::{Broken, broken_by_amendment, broken_by_submission};

const LINK_IDS: [&str; 6] = ["a", "b", "c", "d", "e/~", "\0"];

fn link_id() -> impl Strategy<Value = &'static str> {
    select(&LINK_IDS[..])
}

fn condition() -> impl Strategy<Value = Json> {
    let answer = prop_oneof![(-1..4).prop_map(Json::from), any::<bool>().prop_map(Json::from), Just(json!("a"))];
    (link_id(), select(vec!["=", ">", ">="]), answer)
        .prop_map(|(link_id, operator, answer)| json!({"link_id": link_id, "operator": operator, "answer": answer}))
}

fn item(link_id: &'static str) -> impl Strategy<Value = Json> {
    (
        select(vec!["integer", "decimal", "boolean", "text", "choice"]),
        option::of(-2.0..2.0),
        option::of(2.0..4.0),
        option::of(0..4_usize),
        any::<bool>(),
        vec(-1..4, 0..4),
        vec(condition(), 0..3),
        select(vec!["all", "any"]),
    )
        .prop_map(move |(kind, min, max, max_length, required, options, enable_when, enable_behavior)| {
            let options: Vec<_> = options.into_iter().map(|value| json!({"value": value})).collect();
            json!({"link_id": link_id, "type": kind, "min": min, "max": max, "max_length": max_length,
                   "required": required, "options": options,
                   "enable_when": enable_when, "enable_behavior": enable_behavior})
        })
}

/// Any definition. Conditions may form cycles and name items that do not exist.
fn definition() -> impl Strategy<Value = Json> {
    let items = proptest::sample::subsequence(LINK_IDS.to_vec(), 0..=LINK_IDS.len())
        .prop_flat_map(|link_ids| link_ids.into_iter().map(item).collect::<Vec<_>>());
    let bands = vec((-9..9, -9..9).prop_map(|(min, max)| json!({"id": "band", "min": min, "max": max})), 0..3);
    let scoring = (vec(link_id(), 0..8), bands)
        .prop_map(|(items, bands)| json!({"method": "sum", "items": items, "bands": bands}));
    let alert = (condition(), any::<bool>()).prop_map(|(mut alert, urgent)| {
        alert["id"] = json!("alert");
        alert["urgent"] = json!(urgent);
        alert
    });
    (items, option::of(scoring), vec(alert, 0..3))
        .prop_map(|(items, scoring, alerts)| json!({"items": items, "scoring": scoring, "alerts": alerts}))
}

/// Values that are often valid.
fn likely_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => (-1..4_i64).prop_map(Value::Integer),
        1 => (-1.0..4.0).prop_map(Value::Decimal),
        1 => any::<bool>().prop_map(Value::Boolean),
        1 => "a{0,3}".prop_map(Value::Text),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let extreme = vec![i64::MIN, i64::MAX, i64::MAX - 1, 0];
    prop_oneof![
        2 => likely_value(),
        1 => any::<i64>().prop_map(Value::Integer),
        1 => select(extreme).prop_map(Value::Integer),
        1 => proptest::num::f64::ANY.prop_map(Value::Decimal),
        1 => any::<String>().prop_map(Value::Text),
        1 => Just(Value::Structure(())),
        1 => (any::<String>(), any::<String>()).prop_map(|(system, code)| Value::Coding(Coding { system, code })),
    ]
}

fn any_answers() -> impl Strategy<Value = HashMap<String, Answer>> {
    let link_id = prop_oneof![8 => link_id().prop_map(str::to_owned), 1 => any::<String>()];
    let answer = option::weighted(0.9, any_value()).prop_map(|value| Answer { value });
    hash_map(link_id, answer, 0..12)
}

fn any_captured_at() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,12})?(Z|[+-][0-2][0-9]:[0-9]{2})?",
        (0..90_i64).prop_map(|day| (time("2025-12-25T00:00:00Z") + chrono::TimeDelta::days(day)).to_rfc3339()),
    ]
}

/// Any report for any definition, at any time.
fn any_report() -> impl Strategy<Value = Report> {
    let moment = || (-100_000_000_000..100_000_000_000_i64).prop_map(|at| DateTime::from_timestamp(at, 0).unwrap());
    let window = moment().prop_map(|sync_until| Window { window_id: String::new(), sync_until, used: false });
    let schedule =
        option::of(option::of(window)).prop_map(|window| window.map_or(Schedule::Event, Schedule::Scheduled));
    (definition(), any_answers(), any_captured_at(), schedule, option::of(moment()), moment(), any::<bool>()).prop_map(
        |(definition, answers, captured_at, schedule, retired_at, now, attested)| {
            let mut report = Report { captured_at, now, attested, ..report(definition, &[]) };
            report.assignment.schedule = schedule;
            report.assignment.retired_at = retired_at;
            report.answers = answers;
            report
        },
    )
}

/// A definition, and a report for it with a valid capture and answers that are often valid.
fn likely_report() -> impl Strategy<Value = (Json, Report)> {
    let answers = vec(option::weighted(0.4, likely_value()), LINK_IDS.len());
    let stray = option::weighted(0.2, link_id());
    (definition(), answers, stray).prop_map(|(definition, answers, stray)| {
        let items = definition["items"].as_array().unwrap().iter();
        let link_ids = items.map(|item| item["link_id"].as_str().unwrap()).chain(stray);
        let answers: Vec<_> = link_ids.zip(answers).filter_map(|(link_id, answer)| Some((link_id, answer?))).collect();
        let report = report(definition.clone(), &answers);
        (definition, report)
    })
}

fn report(definition: Json, answers: &[(&str, Value)]) -> Report {
    let questionnaire = serde_json::from_value(definition).unwrap();
    Report::of(questionnaire, answers.iter().map(|(link_id, answer)| (*link_id, answer)))
}

fn judged(report: &Report) -> (Vec<Broken>, Assessment) {
    let filled_in = report.filled_in();
    let held_because = held_because(&report.assignment, report.now);
    (broken_by_submission(&report.capture(), &filled_in), assess(&filled_in, held_because))
}

/// Whether a condition of a definition is met by the answers as they were sent.
fn is_met(condition: &Json, answers: &HashMap<String, Answer>) -> bool {
    let answer = answers.get(condition["link_id"].as_str().unwrap()).and_then(|answer| answer.value.as_ref());
    let expected = &condition["answer"];
    let compared = |answer: f64| match (condition["operator"].as_str().unwrap(), expected.as_f64()) {
        ("=", Some(expected)) => (answer - expected).abs() < f64::EPSILON,
        (">", Some(expected)) => answer > expected,
        (">=", Some(expected)) => answer >= expected,
        _ => false,
    };
    match answer {
        Some(Value::Integer(answer)) => compared(f64::from(i32::try_from(*answer).unwrap())),
        Some(Value::Decimal(answer)) => compared(*answer),
        Some(Value::Boolean(answer)) => condition["operator"] == "=" && expected.as_bool() == Some(*answer),
        Some(Value::Text(answer)) => condition["operator"] == "=" && expected.as_str() == Some(answer),
        Some(Value::Structure(()) | Value::Coding(_)) | None => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_sent_makes_a_rule_or_an_assessment_panic(report in any_report(), reason in any::<String>()) {
        let _ = judged(&report);
        let _ = broken_by_amendment(&report.filled_in(), &reason);
    }

    #[test]
    fn a_time_that_can_be_read_can_be_passed_on(text in any_captured_at()) {
        if let Ok(captured) = text.parse::<Captured>() {
            let message = domain::Captured::from(captured);
            prop_assert!(message.time.is_some_and(|time| (0..1_000_000_000).contains(&time.nanos)));
            prop_assert_eq!(Captured::try_from(message), Ok(captured));
        }
    }

    #[test]
    fn the_same_report_is_always_judged_the_same_in_whatever_order_its_answers_come(mut report in any_report()) {
        let first = judged(&report);
        prop_assert_eq!(&judged(&report), &first);
        // Another map iterates in another order.
        report.answers = report.answers.clone().into_iter().collect::<Vec<_>>().into_iter().rev().collect();
        prop_assert_eq!(&judged(&report), &first);
    }

    #[test]
    fn an_accepted_report_has_answers_to_known_and_enabled_items_only((definition, report) in likely_report()) {
        let (broken, _) = judged(&report);
        prop_assume!(broken.is_empty());
        for link_id in report.answers.keys() {
            let items = definition["items"].as_array().unwrap();
            let item = items.iter().find(|item| item["link_id"] == **link_id);
            prop_assert!(item.is_some(), "{:?}", link_id);
            let item = item.unwrap();
            let mut conditions = item["enable_when"].as_array().unwrap().iter();
            let is_met = |condition: &Json| is_met(condition, &report.answers);
            let enabled = match item["enable_behavior"].as_str().unwrap() {
                "any" => conditions.len() == 0 || conditions.any(is_met),
                _ => conditions.all(is_met),
            };
            prop_assert!(enabled, "{:?}", link_id);
        }
    }

    #[test]
    fn an_accepted_report_has_the_sum_of_its_scored_items((definition, report) in likely_report()) {
        let (broken, assessment) = judged(&report);
        prop_assume!(broken.is_empty());
        let kind = |link_id: &str| {
            let items = definition["items"].as_array().unwrap();
            items.iter().find(|item| item["link_id"] == *link_id).and_then(|item| item["type"].as_str())
        };
        let total = definition["scoring"]["items"].as_array().map(|scored| {
            let mut total = 0;
            for link_id in scored.iter().map(|link_id| link_id.as_str().unwrap()) {
                if let (Some("integer" | "choice"), Some(Answer { value: Some(Value::Integer(points)) })) =
                    (kind(link_id), report.answers.get(link_id))
                {
                    total += i32::try_from(*points).unwrap();
                }
            }
            total
        });
        prop_assert_eq!(assessment.score.map(|score| score.total), total);
    }

    #[test]
    fn every_phq_9_is_taken_and_scored_as_published(answers in uniform9(0..=3_i64), difficulty in 0..=3_i64) {
        let total = answers.iter().sum::<i64>();
        let report = Report::phq_9(answers, (total > 0).then_some(difficulty));
        let (broken, assessment) = judged(&report);
        prop_assert_eq!(broken, []);
        let score = assessment.score.unwrap();
        prop_assert_eq!(i64::from(score.total), total);
        let band = ["minimal", "mild", "moderate", "moderately-severe", "severe"]
            [[5, 10, 15, 20].into_iter().filter(|cut| total >= *cut).count()];
        prop_assert_eq!(score.band.as_deref(), Some(band));
        prop_assert_eq!(assessment.alerts.len(), usize::from(answers[8] >= 1));
    }
}
