//! One file per RPC; here is what several of them do.

mod amend_report;
mod review_report;
mod submit_report;

use proto::user::{Principal, Role};
use sha2::{Digest, Sha256};

use crate::error::ReportError;
use crate::rules::Broken;

pub(crate) use amend_report::amend_report;
pub(crate) use review_report::review_report;
pub(crate) use submit_report::submit_report;

/// Who is asking, if it is somebody of the role that may.
fn principal_as(role: Role, principal: Option<Principal>) -> Result<Principal, ReportError> {
    let principal = principal.ok_or(ReportError::Missing("principal"))?;
    if principal.role() == role { Ok(principal) } else { Err(ReportError::WrongRole) }
}

/// All rules that are broken, at once.
fn validate(rules: impl FnOnce() -> Vec<Broken>) -> Result<(), ReportError> {
    let broken = telemetry::checked("validate report", rules);
    if broken.is_empty() { Ok(()) } else { Err(ReportError::Invalid(broken.into_iter().map(Into::into).collect())) }
}

fn fingerprint(raw_body: &[u8]) -> Vec<u8> {
    Sha256::digest(raw_body).to_vec()
}

/// The nurses to tell: those of the site where the patient takes part.
fn care_team(principal: &Principal, site_id: &str) -> Vec<String> {
    principal
        .sites
        .iter()
        .filter(|site| site.site_id == site_id)
        .flat_map(|site| site.care_team.iter().cloned())
        .collect()
}
