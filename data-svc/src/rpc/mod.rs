//! One file per RPC.

mod claim_notification;
mod get_assignment;
mod get_project;
mod get_report;
mod list_due_notifications;
mod parse;
mod record_delivery;
mod save_report;

pub(crate) use claim_notification::claim_notification;
pub(crate) use get_assignment::get_assignment;
pub(crate) use get_project::get_project;
pub(crate) use get_report::get_report;
pub(crate) use list_due_notifications::list_due_notifications;
pub(crate) use record_delivery::record_delivery;
pub(crate) use save_report::save_report;
