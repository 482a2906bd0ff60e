//! What a valid report means: pure functions over its answers and its capture.

mod alerts;
mod disposition;
mod score;

use proto::data::Assessment;
use proto::domain::Disposition;

use crate::filled_in::FilledIn;

pub(crate) use disposition::held_because;

/// The assessment of a report. A held report gets a score and alerts too.
pub(crate) fn assess(filled_in: &FilledIn<'_>, held_because: Vec<String>) -> Assessment {
    let disposition = if held_because.is_empty() { Disposition::Accepted } else { Disposition::Held };
    Assessment {
        disposition: disposition.into(),
        held_because,
        score: score::of(filled_in),
        alerts: alerts::set_off_by(filled_in),
    }
}

#[cfg(test)]
mod tests;
