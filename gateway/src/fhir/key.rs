use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use http::{HeaderName, Uri};

use super::resource::Identifier;
use crate::extract::IdempotencyKey;
use crate::problem::Problem;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");

/// The header by which a client names a submission.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeaderKey {
    /// `Idempotency-Key`, as under `/v1`.
    Idempotency(String),
    /// `If-None-Exist: identifier=system|value` (R4, section 3.1.0.8.1).
    IfNoneExist(String),
    /// No header: the resource must have an identifier.
    None,
}

impl HeaderKey {
    /// The submission's key, and whether it is a conditional create. The key of an identifier is its search token,
    /// `system|value`, so that the same submission can be named in each of the three ways.
    pub(super) fn or_of(self, identifier: Option<&Identifier>) -> Result<(String, bool), Problem> {
        match self {
            Self::Idempotency(key) => Ok((key, false)),
            Self::IfNoneExist(token) => Ok((checked(token)?, true)),
            Self::None => {
                let identifier = identifier.ok_or(Problem::SUBMISSION_KEY)?;
                let value = identifier.value.as_deref().filter(|value| !value.is_empty());
                let value = value.ok_or(Problem::SUBMISSION_KEY)?;
                Ok((checked(format!("{}|{value}", identifier.system.as_deref().unwrap_or_default()))?, false))
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for HeaderKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if parts.headers.contains_key(IDEMPOTENCY_KEY) {
            let IdempotencyKey(key) = IdempotencyKey::from_request_parts(parts, state).await?;
            return Ok(Self::Idempotency(key));
        }
        let mut conditions = parts.headers.get_all(IF_NONE_EXIST).iter();
        match (conditions.next(), conditions.next()) {
            (None, _) => Ok(Self::None),
            (Some(condition), None) => {
                let token = condition.to_str().ok().and_then(token).ok_or(Problem::SUBMISSION_KEY)?;
                Ok(Self::IfNoneExist(token))
            }
            _ => Err(Problem::SUBMISSION_KEY),
        }
    }
}

/// The search token of a condition that consists of exactly one identifier, with or without its system.
fn token(condition: &str) -> Option<String> {
    let uri = Uri::try_from(format!("/?{}", condition.trim_start_matches('?'))).ok()?;
    let Query(parameters) = Query::<Vec<(String, String)>>::try_from_uri(&uri).ok()?;
    let [(name, token)] = parameters.try_into().ok()?;
    let value = token.split_once('|').map_or(token.as_str(), |(_, value)| value);
    if name != "identifier" || value.is_empty() {
        return None;
    }
    Some(if token.contains('|') { token } else { format!("|{token}") })
}

/// Checks the length and the characters, which are those of an `Idempotency-Key`.
fn checked(key: String) -> Result<String, Problem> {
    let is_valid = key.len() <= 255 && key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_valid { Ok(key) } else { Err(Problem::SUBMISSION_KEY) }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    async fn key(headers: &[(&str, &str)], identifier: Option<(&str, &str)>) -> Result<(String, bool), Problem> {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        let key = HeaderKey::from_request_parts(&mut request.body(()).unwrap().into_parts().0, &()).await?;
        let identifier = identifier.map(|(system, value)| Identifier {
            system: Some(system.to_owned()).filter(|system| !system.is_empty()),
            value: Some(value.to_owned()),
        });
        key.or_of(identifier.as_ref())
    }

    fn named(key: &str, conditional: bool) -> (String, bool) {
        (key.to_owned(), conditional)
    }

    #[tokio::test]
    async fn each_way_names_a_submission_by_the_same_words() {
        let condition = [("if-none-exist", "identifier=https%3A%2F%2Fx%7C1")];
        assert_eq!(key(&[("idempotency-key", "https://x|1")], None).await, Ok(named("https://x|1", false)));
        assert_eq!(key(&condition, None).await, Ok(named("https://x|1", true)));
        assert_eq!(key(&[("if-none-exist", "?identifier=https://x|1")], None).await, Ok(named("https://x|1", true)));
        assert_eq!(key(&[], Some(("https://x", "1"))).await, Ok(named("https://x|1", false)));
        assert_eq!(
            key(&[("if-none-exist", "identifier=1")], None).await,
            key(&[("if-none-exist", "identifier=|1")], None).await
        );
        assert_eq!(key(&[], Some(("", "1"))).await, Ok(named("|1", false)));
    }

    #[tokio::test]
    async fn a_header_says_more_than_the_identifier() {
        let both = [("idempotency-key", "a"), ("if-none-exist", "identifier=b")];
        assert_eq!(key(&both, Some(("x", "1"))).await, Ok(named("a", false)));
        assert_eq!(key(&both[1..], Some(("x", "1"))).await, Ok(named("|b", true)));
    }

    #[tokio::test]
    async fn a_submission_without_a_name_or_with_a_bad_one_is_refused() {
        assert_eq!(key(&[], None).await, Err(Problem::SUBMISSION_KEY));
        let long = "x".repeat(255);
        for value in ["", "a b", "\u{e4}", &long] {
            assert_eq!(key(&[], Some(("x", value))).await, Err(Problem::SUBMISSION_KEY), "{value}");
        }
        for condition in
            ["", "identifier=", "identifier=x|", "patient=1", "identifier=1&identifier=2", "identifier=a%20b"]
        {
            assert_eq!(
                key(&[("if-none-exist", condition)], Some(("x", "1"))).await,
                Err(Problem::SUBMISSION_KEY),
                "{condition}"
            );
        }
        assert_eq!(key(&[("idempotency-key", "")], Some(("x", "1"))).await, Err(Problem::IDEMPOTENCY_KEY));
    }
}
