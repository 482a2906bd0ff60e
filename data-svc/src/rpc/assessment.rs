//! Converts the result of the rules to what is stored.

use proto::data as pb;

use crate::error::DataError;
use crate::store::alert::Alert;
use crate::store::report::{Answers, Contents};

/// Reason to hold a report that was captured before its study closed and has arrived afterwards.
pub(super) const STUDY_CLOSED: &str = "study-closed";

/// The contents of a revision, and the alerts that they have raised.
pub(super) struct Assessed<'a> {
    pub(super) contents: Contents<'a>,
    pub(super) alerts: Vec<Alert>,
    /// Whether a nurse must be notified at once.
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
