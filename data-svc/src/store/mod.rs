//! One file per table, one function per statement.

pub(crate) mod assignment;
pub(crate) mod audit_event;
pub(crate) mod enrolment;
pub(crate) mod idempotency;
pub(crate) mod notification;
pub(crate) mod report;
pub(crate) mod site;
pub(crate) mod study;
