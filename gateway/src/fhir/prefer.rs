use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::HeaderName;
use http::request::Parts;

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What the answer to a create contains, as the client prefers (RFC 7240; R4, section 3.1.0.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefer {
    Minimal,
    Representation,
    /// The default, because it has the trace id.
    OperationOutcome,
}

impl<S: Sync> FromRequestParts<S> for Prefer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let values = parts.headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
        let mut preferences = values.flat_map(|value| value.split([',', ';'])).map(str::trim);
        let returned = preferences.find_map(|preference| preference.strip_prefix("return="));
        Ok(match returned {
            Some("minimal") => Self::Minimal,
            Some("representation") => Self::Representation,
            _ => Self::OperationOutcome,
        })
    }
}
