use chrono::{DateTime, Utc};
use proto::Captured;

use crate::assignment::Assignment;

/// How a report was made and sent.
pub(crate) struct Capture<'a> {
    pub(crate) assignment: &'a Assignment,
    /// When the patient filled it in. `None` if the time cannot be parsed.
    pub(crate) at: Option<Captured>,
    /// When it arrived.
    pub(crate) now: DateTime<Utc>,
    pub(crate) attested: bool,
    /// The questionnaire that was filled in, as `url|version`, if the sender names it.
    pub(crate) questionnaire: Option<&'a str>,
}
