//! One file per endpoint: what comes in, one function, what goes out.

mod create_session;
mod get_project;
mod get_report;
mod livez;
mod readyz;
mod submit_report;

pub(crate) use create_session::create_session;
pub(crate) use get_project::get_project;
pub(crate) use get_report::get_report;
pub(crate) use livez::livez;
pub(crate) use readyz::readyz;
pub(crate) use submit_report::submit_report;
