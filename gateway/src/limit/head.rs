use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri};
use service_kit::http::Unreadable;

use crate::problem::Problem;

/// Most bytes of a request's target, and of its headers' names and values together.
const BYTES: usize = 32 * 1024;
/// Most header lines.
const LINES: usize = 100;

/// Answers 431 to a head beyond the limits, and what there is to say to a request that could not be read at all.
pub(crate) async fn refuse_bad_head(request: Request, next: Next) -> Response {
    match request.extensions().get() {
        Some(Unreadable(StatusCode::BAD_REQUEST)) => return Problem::BAD_REQUEST.into_response(),
        Some(Unreadable(_)) => return Problem::HEAD_TOO_LARGE.into_response(),
        None => {}
    }
    if is_too_large(request.uri(), request.headers()) {
        return Problem::HEAD_TOO_LARGE.into_response();
    }
    next.run(request).await
}

fn is_too_large(uri: &Uri, headers: &HeaderMap) -> bool {
    let target = uri.path().len() + uri.query().map_or(0, str::len);
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    target > BYTES || bytes > BYTES || headers.len() > LINES
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: usize, length: usize) -> HeaderMap {
        let value = HeaderValue::try_from("x".repeat(length)).unwrap();
        (0..lines).map(|number| (HeaderName::try_from(format!("h{number:03}")).unwrap(), value.clone())).collect()
    }

    #[test]
    fn a_head_may_be_as_large_as_its_limits_and_no_larger() {
        let short = Uri::from_static("/livez?x");
        assert!(!is_too_large(&short, &headers(100, 10)));
        assert!(is_too_large(&short, &headers(101, 10)));
        assert!(!is_too_large(&short, &headers(1, BYTES - 4)));
        assert!(is_too_large(&short, &headers(1, BYTES - 3)));
        let long = |length| Uri::try_from(format!("/{}", "x".repeat(length))).unwrap();
        assert!(!is_too_large(&long(BYTES - 1), &HeaderMap::new()));
        assert!(is_too_large(&long(BYTES), &HeaderMap::new()));
    }

    #[test]
    fn a_header_sent_often_counts_every_time() {
        let mut headers = HeaderMap::new();
        for _ in 0..=LINES {
            headers.append("accept", HeaderValue::from_static("*/*"));
        }
        assert!(is_too_large(&Uri::from_static("/"), &headers));
    }
}
