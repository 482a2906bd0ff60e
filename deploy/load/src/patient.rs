//! The actions of patients.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use fastrand::Rng;
use migrations::demo::Patient;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::action::OfPatient;
use crate::gateway::Result;
use crate::person::Visit;
use crate::questionnaire;

const REPORTS: &str = "/v1/reports";
const ASSIGNMENTS: &str = "/v1/me/assignments";

/// # Errors
/// When there is no answer. A refusal is an answer.
pub(crate) async fn act(visit: &mut Visit<'_>, patient: &Patient, action: OfPatient, rng: &mut Rng) -> Result<()> {
    let diary = report(patient.assignment, &questionnaire::diary(rng));
    match action {
        OfPatient::Diary => submit(visit, &diary).await,
        OfPatient::Phq9 => submit(visit, &report(patient.phq9, &questionnaire::phq9(rng))).await,
        OfPatient::Gad7 => submit(visit, &report(patient.gad7, &questionnaire::gad7(rng))).await,
        OfPatient::Assignments => visit.get(ASSIGNMENTS).await.map(drop),
        OfPatient::Reports => visit.get("/v1/reports?limit=20").await.map(drop),
        OfPatient::OutOfRange => submit(visit, &with_pain(diary, rng.u8(11..=20))).await,
        OfPatient::KeyAgain => use_key_again(visit, diary).await,
        OfPatient::UnknownReport => visit.get(&format!("{REPORTS}/{}", Uuid::new_v4())).await.map(drop),
        OfPatient::WrongPin => visit.mistype_pin().await,
        OfPatient::NoToken => visit.get_without_token(ASSIGNMENTS).await.map(drop),
        OfPatient::Leave => {
            // A submission takes tens of milliseconds, so this disconnects in the middle of it.
            visit.post_and_leave(REPORTS, &diary, Duration::from_millis(rng.u64(3..=15))).await
        }
    }
}

async fn submit(visit: &mut Visit<'_>, report: &Value) -> Result<()> {
    visit.post(REPORTS, Uuid::new_v4(), report).await.map(drop)
}

async fn use_key_again(visit: &mut Visit<'_>, first: Value) -> Result<()> {
    let key = Uuid::new_v4();
    if visit.post(REPORTS, key, &first).await?.status.is_success() {
        // A different value than in the first report.
        let pain = u8::from(first["answers"]["pain"] == 0);
        visit.post(REPORTS, key, &with_pain(first, pain)).await?;
    }
    Ok(())
}

/// A questionnaire captured just now.
fn report(assignment_id: Uuid, answers: &Value) -> Value {
    let captured_at = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({"assignment_id": assignment_id, "captured_at": captured_at, "answers": answers, "attested": true})
}

fn with_pain(mut report: Value, pain: u8) -> Value {
    report["answers"]["pain"] = pain.into();
    report
}
