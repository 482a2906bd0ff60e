//! Parts of requests as types that cannot hold a bad value.

mod cursor;
mod event_cursor;
mod fields;
mod header;
mod idempotency_key;
mod if_match;
mod json;
mod json_body;
mod languages;
mod path_id;
mod query;
mod undelivered;

pub(crate) use cursor::Cursor;
pub(crate) use event_cursor::EventCursor;
pub(crate) use fields::Fields;
pub(crate) use header::single;
pub(crate) use idempotency_key::IdempotencyKey;
pub(crate) use if_match::IfMatch;
pub(crate) use json::{JsonObject, MediaType};
pub(crate) use json_body::{Body, JsonBody};
pub(crate) use languages::Languages;
pub(crate) use path_id::{PathId, PathIds};
pub(crate) use query::{EventPage, Page, Review};
pub(crate) use undelivered::{NotificationState, Undelivered};
