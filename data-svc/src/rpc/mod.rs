//! One file per RPC.

mod assessment;
mod claim_due_notifications;
mod claim_notification;
mod get_assignment;
mod get_project;
mod get_questionnaire;
mod get_report;
mod list_assignments;
mod list_audit_events;
mod list_notifications;
mod list_reports;
mod notification;
mod page;
mod parse;
mod record_delivery;
mod replay;
mod review;
mod save_amendment;
mod save_report;
mod save_review;
mod urgent_revision;
mod window;

pub(crate) use claim_due_notifications::claim_due_notifications;
pub(crate) use claim_notification::claim_notification;
pub(crate) use get_assignment::get_assignment;
pub(crate) use get_project::get_project;
pub(crate) use get_questionnaire::get_questionnaire;
pub(crate) use get_report::get_report;
pub(crate) use list_assignments::list_assignments;
pub(crate) use list_audit_events::list_audit_events;
pub(crate) use list_notifications::list_notifications;
pub(crate) use list_reports::list_reports;
pub(crate) use record_delivery::record_delivery;
pub(crate) use save_amendment::save_amendment;
pub(crate) use save_report::save_report;
pub(crate) use save_review::save_review;
