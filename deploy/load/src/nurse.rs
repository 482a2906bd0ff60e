//! The actions of nurses.

use fastrand::Rng;
use migrations::demo::Nurse;
use serde_json::json;
use uuid::Uuid;

use crate::action::OfNurse;
use crate::gateway::Result;
use crate::person::Visit;

/// Outcomes to choose from; most reports are approved.
const OUTCOMES: [&str; 5] = ["approved", "approved", "approved", "approved", "has_issues"];

/// Runs an action. All of them begin with the work list.
///
/// # Errors
/// When there is no answer. A refusal is an answer.
pub(crate) async fn act(visit: &mut Visit<'_>, nurse: &Nurse, action: OfNurse, rng: &mut Rng) -> Result<()> {
    let list = visit.get(&format!("/v1/sites/{}/reports?review=pending&limit=20", nurse.site)).await?;
    let reports: Vec<&str> = list.body["reports"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|report| report["report_id"].as_str())
        .collect();
    // The list may be empty, or the login may have been refused.
    let Some(report_id) = rng.choice(reports) else { return Ok(()) };
    match action {
        OfNurse::WorkList => Ok(()),
        OfNurse::Review => {
            let body = json!({"outcome": OUTCOMES[rng.usize(..OUTCOMES.len())]});
            visit.post(&format!("/v1/reports/{report_id}/reviews"), Uuid::new_v4(), &body).await.map(drop)
        }
        OfNurse::Audit => visit.get(&format!("/v1/reports/{report_id}/audit")).await.map(drop),
    }
}
