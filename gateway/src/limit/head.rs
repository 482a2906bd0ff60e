use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri};
use service_kit::http::Unreadable;

use crate::problem::Problem;

/// Maximum number of bytes of a request's target, and of all its header names and values together.
const BYTES: usize = 32 * 1024;
/// Maximum number of header lines.
const LINES: usize = 100;

/// Answers 414 or 431 to a request whose head exceeds the limits, and 400, 414 or 431 to one that could not be parsed.
pub(crate) async fn refuse_bad_head(request: Request, next: Next) -> Response {
    let refused = match request.extensions().get() {
        Some(Unreadable(StatusCode::BAD_REQUEST)) => Some(Problem::BAD_REQUEST),
        Some(Unreadable(StatusCode::URI_TOO_LONG)) => Some(Problem::URI_TOO_LONG),
        Some(Unreadable(_)) => Some(Problem::HEAD_TOO_LARGE),
        None => too_large(request.uri(), request.headers()),
    };
    match refused {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

fn too_large(uri: &Uri, headers: &HeaderMap) -> Option<Problem> {
    let target = uri.path().len() + uri.query().map_or(0, str::len);
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if target > BYTES {
        return Some(Problem::URI_TOO_LONG);
    }
    (bytes > BYTES || headers.len() > LINES).then_some(Problem::HEAD_TOO_LARGE)
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
        assert_eq!(too_large(&short, &headers(100, 10)), None);
        assert_eq!(too_large(&short, &headers(101, 10)), Some(Problem::HEAD_TOO_LARGE));
        assert_eq!(too_large(&short, &headers(1, BYTES - 4)), None);
        assert_eq!(too_large(&short, &headers(1, BYTES - 3)), Some(Problem::HEAD_TOO_LARGE));
        let long = |length| Uri::try_from(format!("/{}", "x".repeat(length))).unwrap();
        assert_eq!(too_large(&long(BYTES - 1), &HeaderMap::new()), None);
        assert_eq!(too_large(&long(BYTES), &HeaderMap::new()), Some(Problem::URI_TOO_LONG));
    }

    #[test]
    fn a_header_sent_often_counts_every_time() {
        let mut headers = HeaderMap::new();
        for _ in 0..=LINES {
            headers.append("accept", HeaderValue::from_static("*/*"));
        }
        assert_eq!(too_large(&Uri::from_static("/"), &headers), Some(Problem::HEAD_TOO_LARGE));
    }
}
