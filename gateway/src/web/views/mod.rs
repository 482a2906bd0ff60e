//! One file per page.

pub(super) mod activate;
pub(super) mod assignment;
pub(super) mod home;
pub(super) mod messages;
pub(super) mod report;
pub(super) mod sign_in;
pub(super) mod trace;
