use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use proto::data as pb;

use crate::error::ReportError;
use crate::questionnaire::Questionnaire;

/// A patient's assignment: the questionnaire, and when it is to be filled in.
#[derive(Debug)]
pub(crate) struct Assignment {
    /// UUID of the site where the patient takes part.
    pub(crate) site_id: String,
    pub(crate) questionnaire: Questionnaire,
    /// Canonical name of the questionnaire: `url|version`.
    pub(crate) canonical: String,
    /// Since when the questionnaire must not be used any more.
    pub(crate) retired_at: Option<DateTime<Utc>>,
    pub(crate) enrolled_at: DateTime<Utc>,
    pub(crate) schedule: Schedule,
    /// Set once the study is closed.
    pub(crate) closing: Option<Closing>,
}

/// The end of a study.
#[derive(Debug)]
pub(crate) struct Closing {
    pub(crate) closed_at: DateTime<Utc>,
    /// Until when reports without a window that were captured before the end may still arrive; exclusive.
    pub(crate) sync_until: DateTime<Utc>,
}

impl Assignment {
    /// Whether the study refuses a report with these times of capture and receipt: the study is closed, and the report
    /// was captured after that or arrives too late.
    pub(crate) fn is_closed_to(&self, captured: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        self.closing.as_ref().is_some_and(|closing| {
            let sync_until = self.schedule.window().map_or(closing.sync_until, |window| window.sync_until);
            captured >= closing.closed_at || now >= sync_until
        })
    }
}

/// When a report may be captured.
#[derive(Debug)]
pub(crate) enum Schedule {
    /// At any time.
    Event,
    /// Once in each window. Holds the window that contains the time of capture, if any.
    Scheduled(Option<Window>),
}

impl Schedule {
    /// The window that contains the time of capture.
    pub(crate) fn window(&self) -> Option<&Window> {
        match self {
            Self::Event => None,
            Self::Scheduled(window) => window.as_ref(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Window {
    /// UUID.
    pub(crate) window_id: String,
    /// Until when a report captured in it may still arrive; exclusive.
    pub(crate) sync_until: DateTime<Utc>,
    /// Whether a report was captured in it before.
    pub(crate) used: bool,
}

impl TryFrom<pb::GetAssignmentResponse> for Assignment {
    type Error = ReportError;

    fn try_from(response: pb::GetAssignmentResponse) -> Result<Self, ReportError> {
        let schedule = match response.schedule() {
            pb::Schedule::Event => Schedule::Event,
            pb::Schedule::Scheduled => Schedule::Scheduled(response.window.map(Window::try_from).transpose()?),
            pb::Schedule::Unspecified => return Err(ReportError::Missing("schedule")),
        };
        Ok(Self {
            site_id: response.site_id,
            questionnaire: serde_json::from_str(&response.definition)?,
            canonical: response.questionnaire,
            retired_at: response.retired_at.map(|time| moment("retired_at", Some(time))).transpose()?,
            enrolled_at: moment("enrolled_at", response.enrolled_at)?,
            schedule,
            closing: response.closing.map(Closing::try_from).transpose()?,
        })
    }
}

impl TryFrom<pb::Window> for Window {
    type Error = ReportError;

    fn try_from(window: pb::Window) -> Result<Self, ReportError> {
        Ok(Self {
            window_id: window.window_id,
            sync_until: moment("sync_until", window.sync_until)?,
            used: window.report_id.is_some(),
        })
    }
}

impl TryFrom<pb::Closing> for Closing {
    type Error = ReportError;

    fn try_from(closing: pb::Closing) -> Result<Self, ReportError> {
        Ok(Self {
            closed_at: moment("closed_at", closing.closed_at)?,
            sync_until: moment("sync_until", closing.sync_until)?,
        })
    }
}

fn moment(field: &'static str, time: Option<Timestamp>) -> Result<DateTime<Utc>, ReportError> {
    time.and_then(|time| DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).ok()?))
        .ok_or(ReportError::Missing(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{Report, time};

    fn response(schedule: pb::Schedule, window: Option<pb::Window>) -> pb::GetAssignmentResponse {
        pb::GetAssignmentResponse {
            definition: r#"{"items": []}"#.to_owned(),
            enrolled_at: Some(Timestamp::default()),
            schedule: schedule.into(),
            window,
            ..pb::GetAssignmentResponse::default()
        }
    }

    fn window(report_id: Option<&str>) -> pb::Window {
        let sync_until = Some(Timestamp::default());
        pb::Window { report_id: report_id.map(str::to_owned), sync_until, ..pb::Window::default() }
    }

    #[test]
    fn a_window_with_a_report_is_used() {
        for (report_id, used) in [(None, false), (Some("a report"), true)] {
            let response = response(pb::Schedule::Scheduled, Some(window(report_id)));
            let assignment = Assignment::try_from(response).unwrap();
            assert_eq!(assignment.schedule.window().map(|window| window.used), Some(used));
        }
    }

    #[test]
    fn a_closed_study_takes_what_was_captured_before_until_its_sync_time_is_over() {
        let closing = |sync_until| Closing { closed_at: time("2026-03-01T06:00:00Z"), sync_until: time(sync_until) };
        let of_study = closing("2026-03-04T06:00:00Z");
        let event = Assignment { closing: Some(of_study), ..Report::diary().assignment };
        let of_study = closing("2026-03-01T06:00:00Z");
        let scheduled =
            Assignment { closing: Some(of_study), ..Report::diary().in_window("2026-03-04T06:00:00Z").assignment };
        for assignment in [event, scheduled] {
            for (captured, now, closed) in [
                ("2026-03-01T05:59:59Z", "2026-03-04T05:59:59Z", false),
                ("2026-03-01T05:59:59Z", "2026-03-04T06:00:00Z", true),
                ("2026-03-01T06:00:00Z", "2026-03-01T06:00:00Z", true),
            ] {
                assert_eq!(assignment.is_closed_to(time(captured), time(now)), closed, "{captured} {now}");
            }
        }
        assert!(!Report::diary().assignment.is_closed_to(time("2026-03-01T07:00:00Z"), time("2036-01-01T00:00:00Z")));
    }

    #[test]
    fn a_questionnaire_that_cannot_be_read_is_not_quoted() {
        let definition = r#"{"items": [{"link_id": "suicidal", "type": "depressed"}]}"#.to_owned();
        let response = pb::GetAssignmentResponse { definition, ..response(pb::Schedule::Event, None) };
        let error = Assignment::try_from(response).unwrap_err();
        assert_eq!(error.to_string(), "the stored questionnaire cannot be read, line 1, column 54");
        assert!(std::error::Error::source(&error).is_none());
    }

    #[test]
    fn an_answer_that_lacks_what_the_rules_need_is_an_error() {
        let no_sync_until = pb::Window { sync_until: None, ..window(None) };
        let no_enrolment = pb::GetAssignmentResponse { enrolled_at: None, ..response(pb::Schedule::Event, None) };
        for (response, field) in [
            (response(pb::Schedule::Unspecified, None), "schedule"),
            (response(pb::Schedule::Scheduled, Some(no_sync_until)), "sync_until"),
            (no_enrolment, "enrolled_at"),
        ] {
            assert!(matches!(Assignment::try_from(response), Err(ReportError::Missing(missing)) if missing == field));
        }
    }
}
