//! Parts of requests as types that cannot hold a bad value.

mod fields;
mod header;
mod idempotency_key;
mod json;
mod path_id;
mod principal;

pub(crate) use fields::Fields;
pub(crate) use idempotency_key::IdempotencyKey;
pub(crate) use json::JsonObject;
pub(crate) use path_id::PathId;
pub(crate) use principal::{Anyone, Nurse, Patient};
