//! How people prove who they are.

mod access_token;
mod lockout;
mod new_pin;
mod pin;
mod secret;
mod sessions;

pub(crate) use access_token::{AccessTokens, Signer, rotate_signing_key};
pub(crate) use lockout::{Consequence, Lockout};
pub(crate) use new_pin::NewPin;
pub(crate) use pin::Pins;
pub(crate) use secret::{ActivationCode, RefreshToken, Seed, digest};
pub(crate) use sessions::Sessions;
