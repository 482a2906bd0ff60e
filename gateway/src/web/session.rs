//! A browser's session: the API's own tokens, in cookies that no script can read.
//!
//! If a request has the cookies and no `Authorization` header, the header is set from the cookies. So the API and the
//! pages authenticate in the same way. Cross-site requests are refused before: see the layer against them in
//! `router.rs`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cookie::time::Duration;
use cookie::{Cookie, SameSite};
use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use proto::user::Tokens;
use service_kit::error::Reason;

use super::Web;
use crate::caller::ClientAddress;
use crate::problem::Problem;
use crate::shared::Shared;

const ACCESS: &str = "session";
const REFRESH: &str = "refresh";
const LANGUAGE: &str = "language";

/// How cookies are written and read.
#[derive(Debug)]
pub(crate) struct Cookies {
    /// Whether browsers may send them over TLS only.
    secure: bool,
}

impl Cookies {
    pub(super) fn new(secure: bool) -> Self {
        Self { secure }
    }

    /// Cookies that store the tokens of a session in the browser. Each cookie expires with its token.
    pub(super) fn of_session(&self, tokens: Tokens) -> [HeaderValue; 2] {
        let lifetime = |seconds: u32| Duration::seconds(seconds.into());
        [
            self.write(ACCESS, tokens.access_token, lifetime(tokens.expires_in)),
            self.write(REFRESH, tokens.refresh_token, lifetime(tokens.refresh_expires_in)),
        ]
    }

    /// Cookies that delete the session from the browser.
    pub(super) fn of_nobody(&self) -> [HeaderValue; 2] {
        [ACCESS, REFRESH].map(|name| self.write(name, String::new(), Duration::ZERO))
    }

    pub(super) fn of_language(&self, code: &str) -> HeaderValue {
        self.write(LANGUAGE, code.to_owned(), Duration::days(365))
    }

    pub(super) fn language(&self, headers: &HeaderMap) -> Option<String> {
        self.read(headers, LANGUAGE)
    }

    pub(super) fn access_token(&self, headers: &HeaderMap) -> Option<String> {
        self.read(headers, ACCESS)
    }

    /// With `SameSite=Lax`, a link in a mail can open a page. Cross-site requests that change anything come without the
    /// cookie.
    fn write(&self, name: &str, value: String, lifetime: Duration) -> HeaderValue {
        let cookie = Cookie::build((self.name(name), value)).path("/").http_only(true).same_site(SameSite::Lax);
        let cookie = cookie.secure(self.secure).max_age(lifetime);
        HeaderValue::try_from(cookie.build().to_string()).unwrap_or(HeaderValue::from_static(""))
    }

    /// The value of a cookie; none if it was sent more than once.
    fn read(&self, headers: &HeaderMap, name: &str) -> Option<String> {
        let name = self.name(name);
        let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookies = values.flat_map(|value| Cookie::split_parse(value).flatten());
        let mut found = cookies.filter(|cookie| cookie.name() == name && !cookie.value().is_empty());
        let first = found.next()?.value().to_owned();
        found.next().is_none().then_some(first)
    }

    /// Whether an answer already starts or ends a session.
    fn are_of_session(&self, answer: &HeaderMap) -> bool {
        let begins = format!("{}=", self.name(ACCESS));
        answer.get_all(SET_COOKIE).iter().any(|cookie| cookie.as_bytes().starts_with(begins.as_bytes()))
    }

    /// The cookie's name, over TLS with a prefix so that other hosts of the same domain cannot set it (RFC 6265bis,
    /// section 4.1.3.2).
    fn name(&self, name: &str) -> String {
        if self.secure { format!("__Host-{name}") } else { name.to_owned() }
    }
}

/// Sets the access token of a request from its cookies. If the access token has expired, the session is refreshed.
pub(crate) async fn bear_token(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    if request.headers().contains_key(AUTHORIZATION) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let cookies = &web.cookies;
    if let Some(token) = cookies.access_token(&parts.headers) {
        bear(&mut parts.headers, &token);
        return next.run(Request::from_parts(parts, body)).await;
    }
    let Some(refresh_token) = cookies.read(&parts.headers, REFRESH) else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let set = match refresh(&web.shared, &parts, refresh_token).await {
        Ok(tokens) => {
            bear(&mut parts.headers, &tokens.access_token);
            cookies.of_session(tokens)
        }
        Err(problem)
            if problem == Problem::because(Reason::InvalidRefreshToken)
                || problem == Problem::because(Reason::Inactive) =>
        {
            cookies.of_nobody()
        }
        Err(problem) => return problem.into_response(),
    };
    let mut response = next.run(Request::from_parts(parts, body)).await;
    // If this request itself signs in or out, its cookies are kept.
    if !cookies.are_of_session(response.headers()) {
        for cookie in set {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    response
}

fn bear(headers: &mut HeaderMap, token: &str) {
    if let Ok(value) = HeaderValue::try_from(format!("Bearer {token}")) {
        headers.insert(AUTHORIZATION, value);
    }
}

async fn refresh(shared: &Shared, parts: &Parts, token: String) -> Result<Tokens, Problem> {
    let ClientAddress(address) = ClientAddress::of(parts, shared)?;
    shared.rates.refresh_token(address, &token)?;
    shared.user.refresh_session(token).await?.ok_or(Problem::INTERNAL)
}

/// The path to redirect to if it is on this site, else the first page. It prevents open redirects, because the path may
/// come from a link on another site.
pub(super) fn local_path(next: &str) -> &str {
    let is_local = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if is_local && next.is_ascii() { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookies: &[&'static str]) -> HeaderMap {
        cookies.iter().map(|value| (COOKIE, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn cookies_of_a_session_are_out_of_reach_for_scripts_and_other_sites() {
        let tokens = Tokens {
            access_token: "a".to_owned(),
            expires_in: 900,
            refresh_token: "r".to_owned(),
            refresh_expires_in: 3600,
        };
        let [access, refresh] = Cookies::new(true).of_session(tokens);
        assert_eq!(access, "__Host-session=a; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=900");
        assert_eq!(refresh, "__Host-refresh=r; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=3600");
    }

    #[test]
    fn a_cookie_that_stands_twice_is_none() {
        let cookies = Cookies::new(false);
        assert_eq!(cookies.access_token(&headers(&["a=1; session=token; b=2"])).as_deref(), Some("token"));
        for twice in [&["session=one; session=two"][..], &["session=one", "session=two"], &["session="], &[]] {
            assert_eq!(cookies.access_token(&headers(twice)), None, "{twice:?}");
        }
    }

    #[test]
    fn a_cookie_without_the_prefix_is_none_over_tls() {
        assert_eq!(Cookies::new(true).access_token(&headers(&["session=token"])), None);
    }

    #[test]
    fn nobody_is_sent_on_to_another_site() {
        for path in ["/", "/reports/1?x=2", "/traces"] {
            assert_eq!(local_path(path), path);
        }
        for path in ["//evil.example", "https://evil.example", "/\\evil.example", "", "javascript:alert(1)", "/\r\nx"] {
            assert_eq!(local_path(path), "/", "{path:?}");
        }
    }
}
