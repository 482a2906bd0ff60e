//! What the rules found out, as it is stored.

use proto::data as pb;

use crate::error::DataError;
use crate::store::alert::Alert;
use crate::store::report::{Answers, Contents};

/// Why a report is held that was captured before its study closed and has arrived after.
pub(super) const STUDY_CLOSED: &str = "study-closed";

/// A revision's contents and what they set off.
pub(super) struct Assessed<'a> {
    pub(super) contents: Contents<'a>,
    pub(super) alerts: Vec<Alert>,
    /// Whether somebody must be told at once.
    pub(super) urgent: bool,
}

pub(super) fn assess<'a>(
    assessment: &'a pb::Assessment,
    answers: Answers,
    raw_body: &'a [u8],
) -> Result<Assessed<'a>, DataError> {
    let score = assessment.score.as_ref();
    let contents = Contents {
        answers,
        raw_body,
        disposition: assessment.disposition().try_into()?,
        held_because: &assessment.held_because,
        score: score.map(|score| score.total),
        score_band: score.and_then(|score| score.band.as_deref()),
    };
    let alerts = assessment.alerts.iter().map(|alert| Alert { rule: alert.rule.clone(), urgent: alert.urgent });
    let urgent = assessment.alerts.iter().any(|alert| alert.urgent);
    Ok(Assessed { contents, alerts: alerts.collect(), urgent })
}
