//! Questionnaires and reports for the tests.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use proto::domain::Answer;
use proto::domain::answer::Value;

use crate::assignment::{Assignment, Closing, Schedule, Window};
use crate::capture::Capture;
use crate::filled_in::FilledIn;
use crate::questionnaire::Questionnaire;

pub(crate) fn diary() -> Questionnaire {
    serde_json::from_str(include_str!("../../migrations/instruments/daily-symptom-diary.json")).unwrap()
}

pub(crate) fn phq_9() -> Questionnaire {
    serde_json::from_str(include_str!("../../migrations/instruments/phq-9.json")).unwrap()
}

pub(crate) fn gad_7() -> Questionnaire {
    serde_json::from_str(include_str!("../../migrations/instruments/gad-7.json")).unwrap()
}

pub(crate) fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A report as it arrives, and its assignment.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) assignment: Assignment,
    pub(crate) captured_at: String,
    pub(crate) now: DateTime<Utc>,
    pub(crate) attested: bool,
    /// The questionnaire that was filled in, if the sender names it.
    pub(crate) questionnaire: Option<String>,
    pub(crate) answers: HashMap<String, Answer>,
}

impl Report {
    /// A report of an `event` assignment, captured an hour before it arrives.
    pub(crate) fn of<'a>(
        questionnaire: Questionnaire,
        answers: impl IntoIterator<Item = (impl Into<String>, &'a Value)>,
    ) -> Self {
        let answers =
            answers.into_iter().map(|(link_id, value)| (link_id.into(), Answer { value: Some(value.clone()) }));
        Self {
            assignment: Assignment {
                site_id: String::new(),
                questionnaire,
                canonical: "https://example.org/questionnaires/this|1.0".to_owned(),
                retired_at: None,
                enrolled_at: time("2026-01-01T00:00:00Z"),
                schedule: Schedule::Event,
                closing: None,
            },
            captured_at: "2026-03-01T07:00:00+01:00".to_owned(),
            now: time("2026-03-01T07:00:00Z"),
            attested: true,
            questionnaire: None,
            answers: answers.collect(),
        }
    }

    /// A diary that breaks no rule.
    pub(crate) fn diary() -> Self {
        Self::of(diary(), [("pain", &Value::Integer(1))])
    }

    /// A PHQ-9 with these nine answers and, if any, one to the difficulty item.
    pub(crate) fn phq_9(answers: [i64; 9], difficulty: Option<i64>) -> Self {
        let items = (1..).map(|number| format!("phq9-{number}")).zip(answers);
        let difficulty = difficulty.map(|answer| ("phq9-difficulty".to_owned(), answer));
        Self::of_choices(phq_9(), items.chain(difficulty))
    }

    pub(crate) fn gad_7(answers: [i64; 7]) -> Self {
        Self::of_choices(gad_7(), (1..).map(|number| format!("gad7-{number}")).zip(answers))
    }

    fn of_choices(questionnaire: Questionnaire, answers: impl Iterator<Item = (String, i64)>) -> Self {
        let answers: Vec<_> = answers.map(|(link_id, answer)| (link_id, Value::Integer(answer))).collect();
        Self::of(questionnaire, answers.iter().map(|(link_id, answer)| (link_id.as_str(), answer)))
    }

    pub(crate) fn captured_at(mut self, captured_at: &str) -> Self {
        captured_at.clone_into(&mut self.captured_at);
        self
    }

    pub(crate) fn retired_at(mut self, retired_at: &str) -> Self {
        self.assignment.retired_at = Some(time(retired_at));
        self
    }

    /// The study has closed. Reports that were captured before may arrive until `sync_until`.
    pub(crate) fn closed_at(mut self, closed_at: &str, sync_until: &str) -> Self {
        self.assignment.closing = Some(Closing { closed_at: time(closed_at), sync_until: time(sync_until) });
        self
    }

    /// The report was captured in a window that takes reports until `sync_until`.
    pub(crate) fn in_window(mut self, sync_until: &str) -> Self {
        let window = Window { window_id: String::new(), sync_until: time(sync_until), used: false };
        self.assignment.schedule = Schedule::Scheduled(Some(window));
        self
    }

    /// The report was captured when no window was open.
    pub(crate) fn outside_windows(mut self) -> Self {
        self.assignment.schedule = Schedule::Scheduled(None);
        self
    }

    pub(crate) fn capture(&self) -> Capture<'_> {
        let at = self.captured_at.parse().ok();
        let questionnaire = self.questionnaire.as_deref();
        Capture { assignment: &self.assignment, at, now: self.now, attested: self.attested, questionnaire }
    }

    pub(crate) fn filled_in(&self) -> FilledIn<'_> {
        FilledIn::new(&self.assignment.questionnaire, self.answers.clone())
    }
}
