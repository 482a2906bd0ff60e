use proto::domain::Role;

/// A report's entity tag. It is strong (RFC 9110, section 8.8.1): every revision and every review changes it, and
/// nurses get another one than patients, because they see more of the same report.
pub(crate) fn report_tag(state_number: u32, role: Role) -> String {
    match role {
        Role::Nurse => format!("\"{state_number}-nurse\""),
        Role::Patient | Role::Unspecified => format!("\"{state_number}\""),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_states_and_no_two_roles_share_a_tag() {
        let tags: BTreeSet<_> =
            (1..=3).flat_map(|number| [Role::Patient, Role::Nurse].map(|role| report_tag(number, role))).collect();
        assert_eq!(tags.len(), 6);
        assert!(tags.contains("\"1\""), "as it stands in the examples");
    }
}
