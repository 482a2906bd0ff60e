//! Who is calling: the holder of an access token, and the address that a request comes from.

mod client_address;
mod principal;

pub(crate) use client_address::ClientAddress;
pub(crate) use principal::{AccessToken, Anyone, Nurse, Patient};
