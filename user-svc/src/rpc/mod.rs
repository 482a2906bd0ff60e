//! One file per RPC.

mod authenticate;
mod create_session;
mod list_site_contacts;

pub(crate) use authenticate::authenticate;
pub(crate) use create_session::create_session;
pub(crate) use list_site_contacts::list_site_contacts;
