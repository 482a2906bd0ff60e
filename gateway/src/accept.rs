//! Content negotiation: the API speaks JSON and nothing else.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::ACCEPT;

use crate::problem::Problem;

/// Answers 406 under `/v1` to whoever does not take JSON.
pub(crate) async fn require_json(request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/v1/") && !takes_json(request.headers()) {
        return Problem::NOT_ACCEPTABLE.into_response();
    }
    next.run(request).await
}

/// RFC 9110, section 12.5.1: the most specific range decides. Parameters other than `q` are passed over, so
/// that `application/json;charset=utf-8` is what its sender means by it.
fn takes_json(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = values.flat_map(|value| value.split(',')).filter(|range| !range.trim().is_empty()).peekable();
    if ranges.peek().is_none() {
        return true;
    }
    ranges.filter_map(preference).max().is_some_and(|(_, wanted)| wanted)
}

/// How specific a range is and whether it is wanted, if JSON is in it.
fn preference(range: &str) -> Option<(u8, bool)> {
    let (range, parameters) = range.split_once(';').unwrap_or((range, ""));
    let specificity = match range.trim().to_ascii_lowercase().as_str() {
        "application/json" => 2,
        "application/*" => 1,
        "*/*" => 0,
        _ => return None,
    };
    let quality = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    // Zero in any of its spellings; what is no number does not say that JSON is unwanted.
    Some((specificity, quality.is_none_or(|quality| quality.parse::<f32>().map_or(true, |quality| quality > 0.0))))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn takes(accept: &[&'static str]) -> bool {
        takes_json(&accept.iter().map(|value| (ACCEPT, HeaderValue::from_static(value))).collect())
    }

    #[test]
    fn json_is_taken_by_whoever_does_not_exclude_it() {
        for accept in [
            &[][..],
            &[""],
            &["*/*"],
            &["application/json"],
            &["Application/JSON; charset=utf-8"],
            &["application/*;q=0.1"],
            &["text/html, application/xhtml+xml, */*;q=0.8"],
            &["text/html", "application/json;q=0.001"],
            &["application/*;q=0, application/json"],
            &["application/json;q=x"],
        ] {
            assert!(takes(accept), "{accept:?}");
        }
    }

    #[test]
    fn json_is_not_taken_by_whoever_excludes_it() {
        for accept in [
            &["text/html"][..],
            &["application/xml", "text/*"],
            &["application/problem+json"],
            &["application/json;q=0"],
            &["*/*, application/json; q=0.000"],
            &["*/*;q=0"],
            &["garbage"],
        ] {
            assert!(!takes(accept), "{accept:?}");
        }
    }
}
