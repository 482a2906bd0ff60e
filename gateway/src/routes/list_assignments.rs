use axum::Json;
use axum::extract::State;
use proto::data as pb;
use serde::Serialize;
use service_kit::error::Reason;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::Patient;
use crate::extract::Languages;
use crate::problem::Problem;
use crate::representation::{TitledQuestionnaire, rfc3339};
use crate::shared::Shared;

#[derive(Serialize, ToSchema)]
pub(crate) struct Assignments {
    assignments: Vec<Assignment>,
}

impl Assignments {
    /// One of them.
    pub(crate) fn find(&self, id: Uuid) -> Option<&Assignment> {
        let id = id.to_string();
        self.assignments.iter().find(|assignment| assignment.assignment_id == id)
    }
}

/// What a patient is asked to fill in.
#[derive(Serialize, ToSchema)]
pub(crate) struct Assignment {
    #[schema(format = Uuid)]
    assignment_id: String,
    questionnaire: AssignedQuestionnaire,
    schedule: Schedule,
    /// IANA time zone that the windows were made in.
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    /// The window that is open now, else the next one; absent for `event`, and after the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    window: Option<Window>,
}

#[derive(Serialize, ToSchema)]
struct AssignedQuestionnaire {
    #[serde(flatten)]
    questionnaire: TitledQuestionnaire,
    /// From this time on, which may be in the future, it must not be filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    retired_at: Option<String>,
}

/// `event`: at any time; `scheduled`: once in each window.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Schedule {
    Event,
    Scheduled,
}

/// The half-open interval `[opens_at, closes_at)`, in which one report may be captured.
#[derive(Serialize, ToSchema)]
struct Window {
    #[schema(format = DateTime)]
    opens_at: String,
    #[schema(format = DateTime)]
    closes_at: String,
    /// A report that was captured in time and arrives later than this is held.
    #[schema(format = DateTime)]
    sync_until: String,
    /// The report that was captured in it; absent while it is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Uuid)]
    report_id: Option<String>,
}

/// List what you are asked to fill in
#[utoipa::path(
    get,
    path = "/v1/me/assignments",
    tag = "reports",
    security(("bearer" = [])),
    responses((status = 200, description = "The patient's assignments.", body = Assignments)),
    extensions(("x-problems" = json!([Reason::Inactive, Reason::WrongRole]))),
)]
pub(crate) async fn list_assignments(
    State(shared): State<Shared>,
    Patient(principal): Patient,
    languages: Languages,
) -> Result<Json<Assignments>, Problem> {
    let assignments = shared.data.list_assignments(principal, languages).await?.into_iter().map(Assignment::try_from);
    Ok(Json(Assignments { assignments: assignments.collect::<Result<_, _>>()? }))
}

impl Assignment {
    /// Id and version of the questionnaire.
    pub(crate) fn questionnaire(&self) -> (String, String) {
        let TitledQuestionnaire { id, version, .. } = &self.questionnaire.questionnaire;
        (id.clone(), version.clone())
    }
}

impl TryFrom<pb::Assignment> for Assignment {
    type Error = Problem;

    fn try_from(assignment: pb::Assignment) -> Result<Self, Problem> {
        let schedule = match assignment.schedule() {
            pb::Schedule::Event => Schedule::Event,
            pb::Schedule::Scheduled => Schedule::Scheduled,
            pb::Schedule::Unspecified => return Err(Problem::INTERNAL),
        };
        Ok(Self {
            assignment_id: assignment.assignment_id,
            questionnaire: AssignedQuestionnaire {
                questionnaire: TitledQuestionnaire {
                    id: assignment.questionnaire_id,
                    version: assignment.version,
                    title: assignment.title,
                },
                retired_at: assignment.retired_at.map(|time| rfc3339(Some(time))).transpose()?,
            },
            schedule,
            time_zone: assignment.time_zone,
            window: assignment.window.map(Window::try_from).transpose()?,
        })
    }
}

impl TryFrom<pb::Window> for Window {
    type Error = Problem;

    fn try_from(window: pb::Window) -> Result<Self, Problem> {
        Ok(Self {
            opens_at: rfc3339(window.opens_at)?,
            closes_at: rfc3339(window.closes_at)?,
            sync_until: rfc3339(window.sync_until)?,
            report_id: window.report_id,
        })
    }
}
