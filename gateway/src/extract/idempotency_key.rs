use axum::extract::FromRequestParts;
use http::HeaderName;
use http::request::Parts;

use super::header::single;
use crate::problem::Problem;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The client's key for one submission, amendment or review. A retry sends the same key.
pub(crate) struct IdempotencyKey(pub(crate) String);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let key = single(&parts.headers, &IDEMPOTENCY_KEY).ok_or(Problem::IDEMPOTENCY_KEY)?;
        let is_valid = (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        if is_valid { Ok(Self(key.to_owned())) } else { Err(Problem::IDEMPOTENCY_KEY) }
    }
}
