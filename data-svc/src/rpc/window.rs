//! Converts windows to protobuf.

use proto::data as pb;

use super::parse;
use crate::store::fill_window::Window;

pub(super) fn message(window: &Window) -> pb::Window {
    pb::Window {
        window_id: window.window_id.to_string(),
        opens_at: Some(parse::timestamp(window.opens_at)),
        closes_at: Some(parse::timestamp(window.closes_at)),
        sync_until: Some(parse::timestamp(window.sync_until)),
        report_id: window.report_id.map(|id| id.to_string()),
    }
}
