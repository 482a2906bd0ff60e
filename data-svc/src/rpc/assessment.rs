//! What the rules found out, as it is stored.

use proto::data as pb;
use proto::report::Disposition;

use crate::error::DataError;
use crate::store::alert::Alert;
use crate::store::report::{Answers, Contents};

const ACCEPTED: &str = "accepted";
const HELD: &str = "held";

/// Why a report is held that was captured before its study closed and has arrived after.
pub(super) const STUDY_CLOSED: &str = "study-closed";

/// A revision's contents and what they set off.
pub(super) struct Assessed<'a> {
    pub(super) contents: Contents<'a>,
    pub(super) alerts: Vec<Alert>,
    /// Whether somebody must be told at once.
    pub(super) urgent: bool,
}

pub(super) fn assessed<'a>(
    assessment: &'a pb::Assessment,
    answers: Answers,
    raw_body: &'a [u8],
    raw_sha256: &'a [u8],
) -> Result<Assessed<'a>, DataError> {
    let score = assessment.score.as_ref();
    let contents = Contents {
        answers,
        raw_body,
        raw_sha256,
        disposition: match assessment.disposition() {
            Disposition::Accepted => ACCEPTED,
            Disposition::Held => HELD,
            Disposition::Unspecified => return Err(DataError::Malformed("assessment.disposition")),
        },
        held_because: &assessment.held_because,
        score: score.map(|score| score.total),
        score_band: score.map(|score| score.band.as_str()).filter(|band| !band.is_empty()),
    };
    let alerts = assessment.alerts.iter().map(|alert| Alert { rule: alert.rule.clone(), urgent: alert.urgent });
    let urgent = assessment.alerts.iter().any(|alert| alert.urgent);
    Ok(Assessed { contents, alerts: alerts.collect(), urgent })
}

/// A disposition as it stands in the database.
pub(super) fn disposition(name: &str) -> Result<Disposition, DataError> {
    match name {
        ACCEPTED => Ok(Disposition::Accepted),
        HELD => Ok(Disposition::Held),
        _ => Err(DataError::Malformed("disposition")),
    }
}
