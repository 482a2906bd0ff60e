use std::collections::HashMap;

use chrono::SecondsFormat;
use prost_types::Timestamp;
use proto::Captured;
use proto::data as pb;
use proto::domain::{self, Role, answer::Value};
use serde_json::{Map, json};

use super::definition::{Definition, Item, Scoring};
use super::submission::SIGNATURE;
use crate::fhir::resource::{Answer, Answered, Extension, QuestionnaireResponse, Reference, Signature};
use crate::problem::Problem;
use crate::representation::{captured, rfc3339};

/// The largest offset from UTC that R4 allows, in seconds.
const FARTHEST_OFFSET: i32 = 14 * 60 * 60;

/// A revision of a report with its answers.
pub(in crate::fhir) struct Filled {
    report_id: String,
    assignment_id: String,
    person_id: String,
    pub(in crate::fhir) questionnaire_id: String,
    pub(in crate::fhir) version: String,
    url: String,
    revision: u32,
    captured_at: Option<domain::Captured>,
    received_at: Option<Timestamp>,
    answers: HashMap<String, domain::Answer>,
    score: Option<pb::Score>,
}

impl From<pb::GetReportResponse> for Filled {
    fn from(report: pb::GetReportResponse) -> Self {
        Self {
            report_id: report.report_id,
            assignment_id: report.assignment_id,
            person_id: report.person_id,
            questionnaire_id: report.questionnaire_id,
            version: report.version,
            url: report.url,
            revision: report.revision,
            captured_at: report.captured_at,
            received_at: report.received_at,
            answers: report.answers,
            score: report.assessment.and_then(|assessment| assessment.score),
        }
    }
}

impl From<pb::FoundReport> for Filled {
    fn from(report: pb::FoundReport) -> Self {
        Self {
            report_id: report.report_id,
            assignment_id: report.assignment_id,
            person_id: report.person_id,
            questionnaire_id: report.questionnaire_id,
            version: report.version,
            url: report.url,
            revision: report.revision,
            captured_at: report.captured_at,
            received_at: report.received_at,
            answers: report.answers,
            score: report.score,
        }
    }
}

/// A report as somebody with `role` may see it: the total is for nurses only.
pub(in crate::fhir) fn response(
    filled: Filled,
    definition: &Definition,
    role: Role,
) -> Result<QuestionnaireResponse, Problem> {
    let patient = Reference::to("Patient", &filled.person_id);
    let authored = authored(captured(filled.captured_at)?);
    // The patient has attested every report that is stored.
    let signature = json!(Signature::of_author(patient.clone(), authored.clone()));
    let answered = definition.items.iter().filter_map(|item| {
        let value = filled.answers.get(&item.link_id)?.value.as_ref()?;
        Some(Answered::new(&item.link_id, &item.text, answer(definition, item, value)?))
    });
    let total = filled.score.filter(|_| role == Role::Nurse);
    let total = total.zip(definition.scoring.as_ref()).and_then(|(score, scoring)| total_item(scoring, score.total));
    Ok(QuestionnaireResponse {
        id: Some(filled.report_id),
        meta: Some(Map::from_iter([("lastUpdated".to_owned(), json!(rfc3339(filled.received_at)?))])),
        extension: vec![Extension::new(SIGNATURE, "valueSignature", signature)],
        based_on: vec![Reference::to("ServiceRequest", &filled.assignment_id)],
        questionnaire: Some(format!("{}|{}", filled.url, filled.version)),
        status: Some(if filled.revision == 1 { "completed" } else { "amended" }.to_owned()),
        subject: Some(patient.clone()),
        authored: Some(authored),
        source: Some(patient),
        item: answered.chain(total).collect(),
        ..QuestionnaireResponse::empty()
    })
}

/// The time of capture. R4 has no offsets beyond fourteen hours, so a time with a larger one is written in UTC.
fn authored(captured: Captured) -> String {
    if captured.offset_seconds().abs() > FARTHEST_OFFSET {
        captured.time().to_rfc3339_opts(SecondsFormat::AutoSi, true)
    } else {
        captured.local().to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }
}

fn answer(definition: &Definition, item: &Item, value: &Value) -> Option<Answer> {
    let none = Answer::default();
    Some(match value {
        Value::Integer(value) => {
            let chosen = item.options.iter().find(|choice| choice.value == *value);
            match chosen.and_then(|choice| definition.choice(choice)) {
                Some(coding) => Answer { value_coding: Some(coding), ..none },
                None if item.is_decimal() => Answer { value_decimal: Some(whole(*value)), ..none },
                None => Answer { value_integer: Some(*value), ..none },
            }
        }
        Value::Decimal(value) => Answer { value_decimal: Some(*value), ..none },
        Value::Boolean(value) => Answer { value_boolean: Some(*value), ..none },
        Value::Text(value) => Answer { value_string: Some(value.clone()), ..none },
        Value::Structure(()) | Value::Coding(_) => return None,
    })
}

#[expect(clippy::cast_precision_loss, reason = "the numbers of a questionnaire are far below 2^53")]
fn whole(value: i64) -> f64 {
    value as f64
}

fn total_item(scoring: &Scoring, total: i32) -> Option<Answered> {
    let answer = Answer { value_integer: Some(total.into()), ..Answer::default() };
    Some(Answered::new(scoring.link_id.as_deref()?, &scoring.text, answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_capture_keeps_its_offset_if_r4_can_write_it() {
        for (captured_at, written) in [
            ("2026-03-01T08:30:00+01:00", "2026-03-01T08:30:00+01:00"),
            ("2026-03-01T08:30:00.5-14:00", "2026-03-01T08:30:00.500-14:00"),
            ("2026-03-01T08:30:00+14:01", "2026-02-28T18:29:00Z"),
            ("2026-03-01T08:30:00+00:00", "2026-03-01T08:30:00Z"),
        ] {
            assert_eq!(authored(captured_at.parse().unwrap()), written);
        }
    }
}
