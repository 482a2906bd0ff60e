//! 400: bodies that cannot be read.

use e2e::PATIENT;
use migrations::demo::{SITES, STUDY};
use serde_json::json;
use testkit::client::Token;

use super::case::{Case, MARK, changed};

fn plain() -> String {
    changed(PATIENT.assignment, |_| ())
}

pub(super) fn unreadable(patient: &Token) -> Vec<Case> {
    let utf16: Vec<u8> = plain().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bodies: [(&str, Vec<u8>); 20] = [
        ("no body", vec![]),
        ("white space", b" \n".to_vec()),
        ("truncated JSON", plain().into_bytes()[..40].to_vec()),
        ("an array", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("a text", format!("\"{MARK}\"").into_bytes()),
        ("trailing garbage", format!("{}{MARK}", plain()).into_bytes()),
        ("two objects", plain().repeat(2).into_bytes()),
        ("a name twice", br#"{"attested":true,"attested":false}"#.to_vec()),
        ("a name twice, once escaped", br#"{"attested":true,"\u0061ttested":false}"#.to_vec()),
        ("an answer twice", br#"{"answers":{"pain":1,"pain":2}}"#.to_vec()),
        ("invalid UTF-8", b"{\"a\":\"\xff\"}".to_vec()),
        ("an overlong NUL", b"{\"a\":\"\xc0\x80\"}".to_vec()),
        ("a byte order mark", [b"\xef\xbb\xbf".to_vec(), plain().into_bytes()].concat()),
        ("UTF-16", utf16.clone()),
        ("UTF-16 with a byte order mark", [b"\xff\xfe".to_vec(), utf16].concat()),
        ("a lone surrogate", br#"{"a":"\ud800"}"#.to_vec()),
        ("not a number", br#"{"a":NaN}"#.to_vec()),
        ("an endless number", br#"{"a":1e999}"#.to_vec()),
        ("deep nesting", [b"{\"a\":".to_vec(), b"[".repeat(10_000)].concat()),
    ];
    let case = |(name, body)| Case::submission(name, patient, body).expect(400, "malformed-json");
    bodies.into_iter().map(case).collect()
}

pub(super) fn on_every_route(patient: &Token, nurse: &Token, report_id: &str) -> Vec<Case> {
    let cases = [
        Case::new("truncated, to activations", "POST", "/v1/activations"),
        Case::new("truncated, to sessions", "POST", "/v1/sessions"),
        Case::new("truncated, to refresh", "POST", "/v1/sessions/refresh"),
        Case::new("truncated, to amendments", "POST", format!("/v1/reports/{report_id}/amendments"))
            .bearer(patient)
            .header("if-match", "\"1\""),
        Case::new("truncated, to reviews", "POST", format!("/v1/reports/{report_id}/reviews")).bearer(nurse),
    ];
    cases
        .map(|case| {
            case.header("idempotency-key", "truncated").json(format!("{{\"{MARK}\":")).expect(400, "malformed-json")
        })
        .into()
}

pub(super) fn keys_and_tags(patient: &Token, nurse: &Token, report_id: &str) -> Vec<Case> {
    let keyless = |name| Case::submission(name, patient, plain()).without("idempotency-key");
    let keyed = |name, key: &str| keyless(name).header("idempotency-key", key);
    let keys = [
        keyless("no key"),
        keyed("an empty key", ""),
        keyed("two keys", "a").header("idempotency-key", "b"),
        keyed("the same key twice", MARK).header("idempotency-key", MARK),
        keyed("a key with a tab", "a\tb"),
        keyed("a key with a blank", &format!("{MARK} {MARK}")),
        keyed("a key that is not ASCII", "\u{e9}"),
        keyed("a key of 256 characters", &MARK.repeat(52)[..256]),
    ];
    let amendments = || format!("/v1/reports/{report_id}/amendments");
    let untagged = |name| Case::new(name, "POST", amendments()).bearer(patient).json(e2e::amendment().to_string());
    let tags = [
        untagged("a tag without quotes").header("if-match", "1"),
        untagged("a tag with one quote").header("if-match", "\"1"),
        untagged("a word for a tag").header("if-match", MARK),
        untagged("an empty tag").header("if-match", ""),
    ];
    let keyless = [
        untagged("no key, to amend").header("if-match", "\"1\""),
        Case::new("no key, to review", "POST", format!("/v1/reports/{report_id}/reviews"))
            .bearer(nurse)
            .json(json!({"outcome": "approved"}).to_string()),
    ];
    keys.into_iter()
        .chain(keyless)
        .map(|case| case.expect(400, "idempotency-key"))
        .chain(tags.map(|case| case.expect(400, "if-match")))
        .chain([untagged("no tag").expect(428, "precondition-required")])
        .collect()
}

pub(super) fn ids_and_pages(patient: &Token, nurse: &Token) -> Vec<Case> {
    let get = |name, path: &str, token| Case::new(name, "GET", path).bearer(token);
    let site = SITES[0].id;
    let ids = [
        get("a report id that is none", &format!("/v1/reports/{MARK}"), patient),
        get("a number for a report id", "/v1/reports/42", patient),
        get("a report id that is no text", "/v1/reports/%ff", patient),
        get("a report id with NUL", &format!("/v1/reports/{STUDY}%00"), patient),
        get("a report id with a path in it", "/v1/reports/..%2f..%2fetc%2fpasswd", patient),
        get("a study id that is none", &format!("/v1/studies/{MARK}"), nurse),
        get("a site id that is none", &format!("/v1/sites/{MARK}/reports"), nurse),
        get("an id that is none, for the audit trail", &format!("/v1/reports/{MARK}/audit"), nurse),
        Case::new("an id that is none, to review", "POST", format!("/v1/reports/{MARK}/reviews"))
            .bearer(nurse)
            .json(json!({"outcome": "approved"}).to_string()),
        Case::new("an id that is none, to amend", "POST", format!("/v1/reports/{MARK}/amendments"))
            .bearer(patient)
            .header("if-match", "\"1\"")
            .json(e2e::amendment().to_string()),
        Case::submission(
            "an assignment id that is none",
            patient,
            changed(PATIENT.assignment, |body| body["assignment_id"] = json!(MARK)),
        ),
    ];
    let parameters = [
        get("limit=-1", "/v1/reports?limit=-1", patient),
        get("limit=0", "/v1/reports?limit=0", patient),
        get("limit=101", "/v1/reports?limit=101", patient),
        get("limit=1e1", "/v1/reports?limit=1e1", patient),
        get("a limit beyond 64 bits", "/v1/reports?limit=18446744073709551616", patient),
        get("a word for a limit", &format!("/v1/reports?limit={MARK}"), patient),
        get("an empty limit", "/v1/reports?limit=", patient),
        get("limit=-1 for a site", &format!("/v1/sites/{site}/reports?limit=-1"), nurse),
        get("a review state that is none", &format!("/v1/sites/{site}/reports?review={MARK}"), nurse),
    ];
    let cursors = [
        get("a cursor that is none", &format!("/v1/reports?cursor={MARK}"), patient),
        get("an empty cursor", "/v1/reports?cursor=", patient),
        get("a cursor that is no text", "/v1/reports?cursor=%ff%00", patient),
        get("a long cursor", &format!("/v1/reports?cursor={}", "A".repeat(4000)), patient),
        get("an id for a cursor", &format!("/v1/reports?cursor={site}"), patient),
        get("a cursor that is none, for a site", &format!("/v1/sites/{site}/reports?cursor={MARK}"), nurse),
    ];
    ids.map(|case| case.expect(400, "malformed-id"))
        .into_iter()
        .chain(parameters.map(|case| case.expect(400, "malformed-parameter")))
        .chain(cursors.map(|case| case.expect(400, "malformed-cursor")))
        .collect()
}
