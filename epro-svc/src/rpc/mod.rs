//! One file per RPC. Here is what several of them share.

mod amend_report;
mod resend_notification;
mod review_report;
mod submit_report;

use proto::domain::{Principal, Role};
use service_kit::attribute::RULE_ID;
use service_kit::error::Reason;
use sha2::{Digest, Sha256};

use crate::error::ReportError;
use crate::rules::Broken;

pub(crate) use amend_report::amend_report;
pub(crate) use resend_notification::resend_notification;
pub(crate) use review_report::review_report;
pub(crate) use submit_report::submit_report;

/// The principal of a request, if it has the role that the request needs.
fn principal_as(role: Role, principal: Option<Principal>) -> Result<Principal, ReportError> {
    let principal = principal.ok_or(ReportError::Missing("principal"))?;
    if principal.role() == role { Ok(principal) } else { Err(ReportError::Refused(Reason::WrongRole)) }
}

/// Runs the rules; the error contains all that are broken.
fn validate(rules: impl FnOnce() -> Vec<Broken>) -> Result<(), ReportError> {
    let broken = telemetry::checked("validate report", RULE_ID, Broken::rule, rules);
    if broken.is_empty() { Ok(()) } else { Err(ReportError::Invalid(broken.into_iter().map(Into::into).collect())) }
}

/// The fingerprint of a body: SHA-256 of its canonical form (RFC 8785), so that the order of members and white space do
/// not count.
fn fingerprint(raw_body: &[u8]) -> Result<Vec<u8>, ReportError> {
    let body: serde_json::Value = serde_json::from_slice(raw_body).map_err(|_| ReportError::Missing("raw_body"))?;
    let canonical = serde_json_canonicalizer::to_vec(&body).map_err(|_| ReportError::Missing("raw_body"))?;
    Ok(sha256(&canonical))
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

/// The fingerprint of a change to a report: it covers the kind of change, the report, the person and the content. An
/// idempotency key that was used for one change cannot be used for another.
fn change_fingerprint(change: &str, report_id: &str, principal: &Principal, content: &[u8]) -> Vec<u8> {
    let parts = [change.as_bytes(), report_id.as_bytes(), principal.person_id.as_bytes(), content];
    let hash = parts.into_iter().fold(Sha256::new(), |hash, part| hash.chain_update(Sha256::digest(part)));
    hash.finalize().to_vec()
}

/// The nurses to notify: those of the site where the patient takes part.
fn care_team(principal: &Principal, site_id: &str) -> Vec<String> {
    principal
        .sites
        .iter()
        .filter(|site| site.site_id == site_id)
        .flat_map(|site| site.care_team.iter().cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_key_of_one_change_is_none_of_another() {
        let person = |person_id: &str| Principal { person_id: person_id.to_owned(), ..Principal::default() };
        let fingerprints: BTreeSet<_> = [
            ("amend", "report", "person", "content"),
            ("review", "report", "person", "content"),
            ("amend", "other", "person", "content"),
            ("amend", "report", "other", "content"),
            ("amend", "report", "person", "other"),
            ("amend", "reportp", "erson", "content"),
        ]
        .map(|(change, report, by, content)| change_fingerprint(change, report, &person(by), content.as_bytes()))
        .into();
        assert_eq!(fingerprints.len(), 6);
    }

    #[test]
    fn order_blanks_and_spelling_do_not_count() {
        let same = [
            r#"{"answers":{"pain":4,"note":"ä"},"attested":true}"#,
            "{ \"attested\" : true,\n\t\"answers\" : { \"note\" : \"\\u00e4\", \"pain\" : 4.0 } }\r\n",
            r#"{"attested":true,"answers":{"note":"\u00E4","pain":4e0}}"#,
        ];
        let fingerprints = same.map(|body| fingerprint(body.as_bytes()).unwrap());
        assert_eq!(fingerprints[0], fingerprints[1]);
        assert_eq!(fingerprints[0], fingerprints[2]);
    }

    #[test]
    fn content_does() {
        let first = r#"{"answers":{"pain":4},"attested":true}"#;
        for other in [
            r#"{"answers":{"pain":5},"attested":true}"#,
            r#"{"answers":{"pain":"4"},"attested":true}"#,
            r#"{"answers":{"pain":4,"note":null},"attested":true}"#,
            r#"{"answers":{"pain":[4]},"attested":true}"#,
            r#"{"answers":{"pain ":4},"attested":true}"#,
        ] {
            assert_ne!(fingerprint(first.as_bytes()).unwrap(), fingerprint(other.as_bytes()).unwrap(), "{other}");
        }
    }

    #[test]
    fn what_the_gateway_would_not_pass_on_is_an_error() {
        assert!(matches!(fingerprint(b"{"), Err(ReportError::Missing("raw_body"))));
    }
}
