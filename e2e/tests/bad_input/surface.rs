//! 404 to 431: requests that are not part of this API. For 408 see `http_surface`.

use e2e::PATIENT;
use testkit::client::Token;

use super::case::{Case, MARK, changed};

pub(super) fn paths_and_methods(patient: &Token, report_id: &str) -> Vec<Case> {
    let get = |name, path: &str| Case::new(name, "GET", path).bearer(patient);
    let report = format!("/v1/reports/{report_id}");
    let unknown = [
        get("a path that is none", &format!("/v1/{MARK}?name={MARK}")),
        get("another version", "/v2/reports"),
        get("upper case", "/V1/REPORTS"),
        get("a trailing slash", &format!("{report}/")).on_the_wire(),
        get("two slashes", &format!("//v1/reports/{report_id}")).on_the_wire(),
        get("an empty segment", "/v1//reports").on_the_wire(),
        get("up to the file system", "/v1/reports/../../etc/passwd").on_the_wire(),
        get("up to a neighbour", &format!("/v1/studies/../reports/{report_id}")).on_the_wire(),
        get("here and there", &format!("/v1/./reports/{report_id}")).on_the_wire(),
        get("up in disguise", &format!("/v1/studies/%2e%2e/reports/{report_id}")).on_the_wire(),
        get("a parameter in the path", &format!("/v1/reports;a=b/{report_id}")).on_the_wire(),
        get("one segment too many", &format!("{report}/audit/{MARK}")),
    ];
    let without = |name, method, path: &str| Case::new(name, method, path).bearer(patient);
    let methods = [
        without("PUT to the reports", "PUT", "/v1/reports"),
        without("DELETE of a report", "DELETE", &report),
        without("PATCH of a report", "PATCH", &report),
        without("PUT of a report", "PUT", &report),
        without("GET of the amendments", "GET", &format!("{report}/amendments")),
        without("GET of the sessions", "GET", "/v1/sessions"),
        without("POST to the assignments", "POST", "/v1/me/assignments"),
        without("TRACE", "TRACE", "/v1/reports"),
        without("a method that is none", "BREW", "/v1/reports"),
    ];
    unknown
        .map(|case| case.expect(404, "not-found"))
        .into_iter()
        .chain(methods.map(|case| case.expect(405, "method-not-allowed")))
        .collect()
}

pub(super) fn media_and_sizes(patient: &Token) -> Vec<Case> {
    let plain = || changed(PATIENT.assignment, |_| ());
    let submission = |name| Case::submission(name, patient, plain());
    let of_type = |name, media_type: &str| submission(name).instead("content-type", media_type);
    let large = || format!("{}{}", plain(), " ".repeat(65 * 1024));
    let accepting = |name, media_type: &str| {
        Case::new(name, "GET", "/v1/me/assignments").bearer(patient).header("accept", media_type)
    };
    let unsupported = [
        of_type("XML", "application/xml"),
        of_type("a form", "application/x-www-form-urlencoded"),
        of_type("plain text", "text/plain"),
        of_type("almost JSON", "application/jsonp"),
        of_type("a type that is none", MARK),
        of_type("UTF-16 by name", "application/json; charset=utf-16"),
        of_type("two types", "application/json").header("content-type", "application/xml"),
        submission("no type").without("content-type"),
        submission("compressed").header("content-encoding", "gzip"),
        submission("compressed in no way").header("content-encoding", "identity"),
    ];
    let unacceptable = [accepting("XML wanted", "application/xml"), accepting("a page wanted", "text/html")];
    let sizes = [
        Case::submission("65 KiB", patient, large()).expect(413, "too-large"),
        Case::submission("65 KiB in chunks", patient, large()).chunked().expect(413, "too-large"),
        submission("64 KiB of headers")
            .header("x-filler", MARK.repeat(64 * 1024 / MARK.len()))
            .expect(431, "head-too-large"),
    ];
    unsupported
        .map(|case| case.expect(415, "unsupported-media-type"))
        .into_iter()
        .chain(unacceptable.map(|case| case.expect(406, "not-acceptable")))
        .chain(sizes)
        .collect()
}
