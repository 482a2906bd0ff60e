use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Version};

use crate::problem::Problem;

/// Answers 400 to a request without a valid `Host` header, or with more than one (RFC 9112, section 3.2). A proxy could
/// take such a request to be for another host.
pub(crate) async fn require_host(request: Request, next: Next) -> Response {
    if names_one_host(request.version(), request.headers()) {
        next.run(request).await
    } else {
        Problem::BAD_REQUEST.into_response()
    }
}

fn names_one_host(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_host(host),
        (None, _) => version < Version::HTTP_11,
        _ => false,
    }
}

/// Whether the value is a host, with or without a port. It may be empty, for a target without a host.
fn is_host(value: &HeaderValue) -> bool {
    let authority = |text: &str| text.parse::<Authority>().is_ok_and(|host| !host.as_str().contains('@'));
    value.to_str().is_ok_and(|text| text.is_empty() || authority(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(version: Version, hosts: &[&'static str]) -> bool {
        names_one_host(version, &hosts.iter().map(|host| (HOST, HeaderValue::from_static(host))).collect())
    }

    #[test]
    fn a_request_names_one_host() {
        for host in ["x", "study.example.org:8080", "127.0.0.1", "[::1]:8080", ""] {
            assert!(names(Version::HTTP_11, &[host]), "{host:?}");
        }
        assert!(names(Version::HTTP_10, &[]), "it need not, by the older version");
    }

    #[test]
    fn a_request_without_a_host_or_with_two_or_with_nonsense_is_not_read() {
        assert!(!names(Version::HTTP_11, &[]));
        for hosts in [&["x", "y"][..], &["x", "x"], &["a b"], &["user@x"], &["x/y"], &["x:port:1"]] {
            assert!(!names(Version::HTTP_11, hosts), "{hosts:?}");
            assert!(!names(Version::HTTP_10, hosts), "{hosts:?}");
        }
    }
}
