//! How people prove who they are.

mod access_token;
mod pin;

pub(crate) use access_token::AccessTokens;
pub(crate) use pin::Pins;
