//! Which media types a client accepts.

use http::HeaderMap;
use http::header::ACCEPT;

/// Whether the client accepts JSON.
pub(crate) fn takes_json(headers: &HeaderMap) -> bool {
    quality(headers, "application", "json") > 0.0
}

/// Whether the client prefers HTML to JSON, as browsers do.
pub(crate) fn prefers_html(headers: &HeaderMap) -> bool {
    quality(headers, "text", "html") > quality(headers, "application", "json")
}

/// The quality value that `Accept` gives a media type, from 0 to 1. The most specific range decides (RFC 9110, section
/// 12.5.1). Parameters other than `q` are ignored, so that `application/json;charset=utf-8` matches JSON.
pub(crate) fn quality(headers: &HeaderMap, kind: &str, subtype: &str) -> f32 {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = values.flat_map(|value| value.split(',')).filter(|range| !range.trim().is_empty()).peekable();
    if ranges.peek().is_none() {
        return 1.0;
    }
    let preferences = ranges.filter_map(|range| preference(range, kind, subtype));
    preferences.max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))).map_or(0.0, |(_, quality)| quality)
}

/// The specificity and the quality value of a range, if it matches the media type.
fn preference(range: &str, kind: &str, subtype: &str) -> Option<(u8, f32)> {
    let (range, parameters) = range.split_once(';').unwrap_or((range, ""));
    let specificity = match range.trim().to_ascii_lowercase().split_once('/')? {
        (first, second) if first == kind && second == subtype => 2,
        (first, "*") if first == kind => 1,
        ("*", "*") => 0,
        _ => return None,
    };
    let quality = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    // A malformed `q` does not exclude the type.
    Some((specificity, quality.map_or(1.0, |quality| quality.parse().unwrap_or(1.0))))
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

    #[test]
    fn a_browser_prefers_pages_and_a_program_does_not() {
        const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let prefers =
            |accept: &'static str| prefers_html(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]));
        assert!(prefers(BROWSER) && prefers("text/html") && prefers("application/json;q=0.5, text/html;q=0.6"));
        for accept in ["*/*", "application/json", "application/json, text/html", "text/html;q=0, */*", "text/plain"] {
            assert!(!prefers(accept), "{accept}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }
}
