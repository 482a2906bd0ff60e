//! The role of a person as a text in SQL. A test compares the texts with the CHECK in the migration.

use proto::domain;

/// The role of a person in the study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum Role {
    Patient,
    Nurse,
}

impl From<Role> for domain::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Patient => Self::Patient,
            Role::Nurse => Self::Nurse,
        }
    }
}

impl From<Role> for i32 {
    fn from(role: Role) -> Self {
        domain::Role::from(role).into()
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Encode;
    use sqlx::postgres::PgArgumentBuffer;

    use super::*;

    fn word(role: Role) -> String {
        let mut buffer = PgArgumentBuffer::default();
        let _ = role.encode_by_ref(&mut buffer).unwrap();
        String::from_utf8(buffer.to_vec()).unwrap()
    }

    #[test]
    fn the_database_lets_in_the_words_there_are_and_no_others() {
        let words = [Role::Patient, Role::Nurse].map(word);
        let check = format!("CHECK (role IN ('{}'))", words.join("', '"));
        assert!(include_str!("../../migrations/identity/0001_identity.sql").contains(&check), "{check}");
    }
}
