use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::problem::Problem;

/// The client's name for one submission: a retry sends the same one.
pub(crate) struct IdempotencyKey(pub(crate) String);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Err(Problem::IDEMPOTENCY_KEY) };
        let key = value.to_str().map_err(|_| Problem::IDEMPOTENCY_KEY)?;
        if (1..=255).contains(&key.len()) { Ok(Self(key.to_owned())) } else { Err(Problem::IDEMPOTENCY_KEY) }
    }
}
