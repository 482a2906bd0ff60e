//! Converts revisions with an urgent alert to protobuf.

use proto::data as pb;

use crate::store::report::UrgentRevision;

pub(super) fn message(one: &UrgentRevision) -> pb::UrgentRevision {
    pb::UrgentRevision { report_id: one.report_id.to_string(), revision: one.revision.unsigned_abs() }
}
