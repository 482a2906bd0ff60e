use proto::data as pb;
use serde::Serialize;
use utoipa::ToSchema;

/// A revision of a report that has an urgent alert and that nobody has reviewed.
#[derive(Serialize, ToSchema)]
pub(crate) struct UrgentRevision {
    #[schema(format = Uuid)]
    report_id: String,
    #[schema(minimum = 1)]
    revision: u32,
}

impl From<pb::UrgentRevision> for UrgentRevision {
    fn from(one: pb::UrgentRevision) -> Self {
        Self { report_id: one.report_id, revision: one.revision }
    }
}
