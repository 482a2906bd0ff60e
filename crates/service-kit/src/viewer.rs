//! What a principal may see.

use proto::data::Viewer;
use proto::domain::{Principal, Role};

/// A nurse sees her sites, a patient only what is their own.
pub fn viewer(principal: Principal) -> Viewer {
    let site_ids = match principal.role() {
        Role::Nurse => principal.sites.into_iter().map(|site| site.site_id).collect(),
        Role::Patient | Role::Unspecified => vec![],
    };
    Viewer { person_id: principal.person_id, site_ids }
}

#[cfg(test)]
mod tests {
    use proto::domain::SiteMembership;

    use super::*;

    #[test]
    fn only_a_nurse_sees_her_sites() {
        for (role, site_ids) in [(Role::Nurse, &["berlin"][..]), (Role::Patient, &[]), (Role::Unspecified, &[])] {
            let site = SiteMembership { site_id: "berlin".to_owned(), care_team: vec![] };
            let principal = Principal { person_id: "somebody".to_owned(), role: role.into(), sites: vec![site] };
            let viewer = viewer(principal);
            assert_eq!(viewer.person_id, "somebody");
            assert_eq!(viewer.site_ids, site_ids, "{role:?}");
        }
    }
}
