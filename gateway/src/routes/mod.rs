//! One file per endpoint: its request types, its description, its handler and its answer types.

pub(crate) mod amend_report;
pub(crate) mod create_activation;
pub(crate) mod create_session;
pub(crate) mod end_session;
pub(crate) mod free_login;
pub(crate) mod get_problem_type;
pub(crate) mod get_questionnaire;
pub(crate) mod get_report;
pub(crate) mod get_study;
pub(crate) mod list_assignments;
pub(crate) mod list_audit_events;
pub(crate) mod list_notifications;
pub(crate) mod list_reports;
pub(crate) mod list_security_events;
pub(crate) mod list_site_reports;
pub(crate) mod list_sites;
pub(crate) mod list_unnotified_reports;
pub(crate) mod livez;
pub(crate) mod readyz;
pub(crate) mod refresh_session;
pub(crate) mod resend_notification;
pub(crate) mod review_report;
pub(crate) mod submit_report;
