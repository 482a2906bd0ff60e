use axum::extract::{Query, Request};

use crate::accept::quality;

/// Whether the client accepts FHIR's JSON, by `_format`, or by `Accept` if there is no `_format` (R4, section
/// 3.1.0.1.11).
pub(crate) fn takes_fhir(request: &Request) -> bool {
    let formats = Query::<Vec<(String, String)>>::try_from_uri(request.uri()).map(|Query(parameters)| {
        parameters.into_iter().filter(|(name, _)| name == "_format").map(|(_, value)| value).collect::<Vec<_>>()
    });
    match formats.as_deref() {
        // The search refuses a query that cannot be read.
        Ok([]) | Err(_) => {
            let headers = request.headers();
            quality(headers, "application", "fhir+json") > 0.0 || quality(headers, "application", "json") > 0.0
        }
        Ok(formats) => formats.iter().all(|format| is_json(format)),
    }
}

/// An unescaped plus sign in a query is read as a space, hence `application/fhir json`.
fn is_json(format: &str) -> bool {
    let (essence, _) = format.split_once(';').unwrap_or((format, ""));
    ["json", "application/json", "application/fhir+json", "application/fhir json", "text/json"]
        .iter()
        .any(|known| essence.trim().eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::header::ACCEPT;

    use super::*;

    fn takes(query: &str, accept: Option<&str>) -> bool {
        let request = Request::builder().uri(format!("/fhir/metadata{query}"));
        let request = accept.into_iter().fold(request, |request, accept| request.header(ACCEPT, accept));
        takes_fhir(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn json_is_taken_in_either_name_and_a_format_says_more_than_the_header() {
        for (query, accept, taken) in [
            ("", None, true),
            ("", Some("application/fhir+json"), true),
            ("", Some("application/fhir+json; fhirVersion=4.0, */*;q=0"), true),
            ("", Some("application/json"), true),
            ("", Some("application/fhir+xml"), false),
            ("?_format=json", Some("text/html;q=1, application/fhir+xml"), true),
            ("?_format=application/fhir%2Bjson", None, true),
            ("?_format=application/fhir+json", None, true),
            ("?_format=xml", Some("*/*"), false),
            ("?_format=json&_format=xml", None, false),
        ] {
            assert_eq!(takes(query, accept), taken, "{query} {accept:?}");
        }
    }
}
