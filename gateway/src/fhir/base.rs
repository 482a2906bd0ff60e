use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::header::HOST;
use http::request::Parts;

use super::{Interactions, PREFIX};

/// The address of the FHIR API for clients. FHIR's links are absolute.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    /// The address of the gateway for clients; none: the host that the request names.
    public_url: Option<Arc<str>>,
    over_tls: bool,
}

/// The service base URL of one request, such as `https://epro.example.org/fhir`.
pub(super) struct BaseUrl(pub(super) String);

impl Base {
    /// `public_url` is empty if none is configured.
    pub(crate) fn new(public_url: &str, over_tls: bool) -> Self {
        let public_url = public_url.trim_end_matches('/');
        Self { public_url: (!public_url.is_empty()).then(|| public_url.into()), over_tls }
    }

    fn url(&self, host: Option<&str>) -> String {
        let scheme = if self.over_tls { "https" } else { "http" };
        match (&self.public_url, host) {
            (Some(public_url), _) => format!("{public_url}{PREFIX}"),
            (None, Some(host)) if !host.is_empty() => format!("{scheme}://{host}{PREFIX}"),
            (None, _) => PREFIX.to_owned(),
        }
    }
}

impl FromRequestParts<Interactions> for BaseUrl {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, interactions: &Interactions) -> Result<Self, Infallible> {
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        Ok(Self(interactions.base.url(host)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_go_where_the_setting_says_or_else_where_the_request_came_to() {
        for (public_url, over_tls, host, url) in [
            ("https://epro.example.org/", false, Some("10.0.0.1:8080"), "https://epro.example.org/fhir"),
            ("", false, Some("127.0.0.1:8080"), "http://127.0.0.1:8080/fhir"),
            ("", true, Some("epro.example.org"), "https://epro.example.org/fhir"),
            ("", true, Some(""), "/fhir"),
            ("", true, None, "/fhir"),
        ] {
            assert_eq!(Base::new(public_url, over_tls).url(host), url);
        }
    }
}
