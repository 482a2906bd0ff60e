use chrono::{DateTime, Utc};
use proto::Captured;

use crate::assignment::Assignment;

/// What is known about how a report came to be.
pub(crate) struct Capture<'a> {
    pub(crate) assignment: &'a Assignment,
    /// When the patient filled it in; none if that cannot be read.
    pub(crate) at: Option<Captured>,
    /// When it arrived.
    pub(crate) now: DateTime<Utc>,
    pub(crate) attested: bool,
    /// What was filled in, as `url|version`, if the sender says so.
    pub(crate) questionnaire: Option<&'a str>,
}
