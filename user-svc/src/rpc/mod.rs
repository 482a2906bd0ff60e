//! One file per RPC.

mod activate;
mod authenticate;
mod create_session;
mod end_session;
mod free_login;
mod list_security_events;
mod list_site_contacts;
mod parse;
mod refresh_session;
mod tokens;

pub(crate) use activate::activate;
pub(crate) use authenticate::authenticate;
pub(crate) use create_session::create_session;
pub(crate) use end_session::end_session;
pub(crate) use free_login::free_login;
pub(crate) use list_security_events::list_security_events;
pub(crate) use list_site_contacts::list_site_contacts;
pub(crate) use refresh_session::refresh_session;
