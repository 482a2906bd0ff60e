//! One file per RPC.

mod activate;
mod authenticate;
mod create_session;
mod end_session;
mod list_site_contacts;
mod refresh_session;
mod tokens;

pub(crate) use activate::activate;
pub(crate) use authenticate::authenticate;
pub(crate) use create_session::create_session;
pub(crate) use end_session::end_session;
pub(crate) use list_site_contacts::list_site_contacts;
pub(crate) use refresh_session::refresh_session;
