//! The words of delivery outcomes.

use crate::data::Outcome;

impl Outcome {
    /// Its word in the records, on spans and in metrics: the name that it has in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Delivered => "delivered",
            Self::NoRecipient => "no_recipient",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::Throttled => "throttled",
            Self::ProviderError => "provider_error",
            Self::Connection => "connection",
            Self::Panic => "panic",
            Self::Deferred => "deferred",
            Self::Uncertain => "uncertain",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The newest migration that says which outcomes there are.
    const MIGRATION: &str = include_str!("../../../migrations/clinical/0008_uncertain_and_sent_again.sql");

    #[test]
    fn an_outcome_has_one_word_in_the_contract_and_in_the_database() {
        let check = MIGRATION.split("CHECK (outcome IN (").nth(1).and_then(|rest| rest.split("));").next()).unwrap();
        for outcome in (1..32).filter_map(|number| Outcome::try_from(number).ok()) {
            let word = outcome.as_str();
            assert_eq!(outcome.as_str_name(), format!("OUTCOME_{}", word.to_uppercase()));
            assert!(check.contains(&format!("'{word}'")), "{word} is not let in");
        }
    }
}
