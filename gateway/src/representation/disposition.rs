use proto::domain as pb;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;

/// How a report was stored. A `held` report is stored, too, but a person must check it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Disposition {
    Accepted,
    Held,
}

impl TryFrom<pb::Disposition> for Disposition {
    type Error = Problem;

    fn try_from(disposition: pb::Disposition) -> Result<Self, Problem> {
        match disposition {
            pb::Disposition::Accepted => Ok(Self::Accepted),
            pb::Disposition::Held => Ok(Self::Held),
            pb::Disposition::Unspecified => Err(Problem::INTERNAL),
        }
    }
}
