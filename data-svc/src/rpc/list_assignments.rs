use proto::data as pb;
use telemetry::postgres::Db;

use super::{parse, window};
use crate::error::DataError;
use crate::store;

/// A patient's assignments, each with its current or next window.
pub(crate) async fn list_assignments(
    db: &Db,
    request: &pb::ListAssignmentsRequest,
) -> Result<pb::ListAssignmentsResponse, DataError> {
    let person_id = parse::id("person_id", &request.person_id)?;
    let assignments = store::assignment::list(db, person_id, &request.languages)
        .await?
        .into_iter()
        .map(|assignment| {
            Ok(pb::Assignment {
                assignment_id: assignment.assignment_id.to_string(),
                questionnaire_id: assignment.questionnaire_id,
                version: assignment.version,
                url: assignment.url,
                title: assignment.title,
                schedule: assignment.schedule.into(),
                window: assignment.window.as_ref().map(window::message),
                time_zone: assignment.time_zone,
                retired_at: assignment.retired_at.map(parse::timestamp),
            })
        })
        .collect::<Result<_, DataError>>()?;
    Ok(pb::ListAssignmentsResponse { assignments })
}
