//! Parses request fields into types that cannot hold invalid values.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use proto::domain::{Cursor, Principal, Role};
use service_kit::error::Reason;
use uuid::Uuid;

use crate::error::UserError;

pub(super) fn id(field: &'static str, text: &str) -> Result<Uuid, UserError> {
    text.parse().map_err(|_| UserError::Malformed(field))
}

/// A nurse and one of her sites.
pub(super) fn site_of_nurse(nurse: Option<&Principal>, site_id: &str) -> Result<(Uuid, Uuid), UserError> {
    let nurse = nurse.filter(|nurse| nurse.role() == Role::Nurse).ok_or(UserError::Malformed("nurse"))?;
    let site = id("site_id", site_id)?;
    if !nurse.sites.iter().any(|own| own.site_id == site_id) {
        return Err(UserError::Refused(Reason::SiteNotFound));
    }
    Ok((id("nurse.person_id", &nurse.person_id)?, site))
}

/// The position after which a list goes on: a time and an id.
pub(super) fn cursor(cursor: Option<&Cursor>) -> Result<Option<(DateTime<Utc>, Uuid)>, UserError> {
    let Some(cursor) = cursor else { return Ok(None) };
    let time = cursor.time.and_then(|time| DateTime::from_timestamp(time.seconds, time.nanos.try_into().ok()?));
    Ok(Some((time.ok_or(UserError::Malformed("after.time"))?, id("after.id", &cursor.id)?)))
}

/// Entries of one page: 1 to 100.
pub(super) fn limit(limit: u32) -> Result<u32, UserError> {
    if (1..=100).contains(&limit) { Ok(limit) } else { Err(UserError::Malformed("limit")) }
}

pub(super) fn timestamp(time: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos().cast_signed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e01";

    fn principal(role: Role) -> Principal {
        let site = proto::domain::SiteMembership { site_id: SITE.to_owned(), care_team: vec![] };
        Principal { person_id: Uuid::nil().to_string(), role: role.into(), sites: vec![site] }
    }

    #[test]
    fn only_a_nurse_has_sites_to_look_after_and_only_her_own() {
        let nurse = principal(Role::Nurse);
        assert!(matches!(site_of_nurse(Some(&nurse), SITE), Ok((nurse, _)) if nurse.is_nil()));
        let other = site_of_nurse(Some(&nurse), &Uuid::nil().to_string());
        assert!(matches!(other, Err(UserError::Refused(Reason::SiteNotFound))));
        let patient = site_of_nurse(Some(&principal(Role::Patient)), SITE);
        assert!(matches!(patient, Err(UserError::Malformed("nurse"))));
        assert!(matches!(site_of_nurse(None, SITE), Err(UserError::Malformed("nurse"))));
    }
}
