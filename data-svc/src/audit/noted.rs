use std::str::FromStr;

use uuid::Uuid;

use crate::store::audit_seal::Seal;

/// A seal that was noted outside the database, for example in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedSeal {
    pub(super) study_id: Uuid,
    pub(super) seq: i64,
    hash: Vec<u8>,
}

impl NotedSeal {
    pub(super) fn is(&self, seal: &Seal) -> bool {
        self.study_id == seal.study_id && self.seq == seal.seq && self.hash == seal.hash
    }
}

/// The text is not a noted seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give the study's id, the seal's number and its hash in hexadecimal digits, with colons between them")]
pub struct NotASeal;

impl FromStr for NotedSeal {
    type Err = NotASeal;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (study_id, rest) = text.split_once(':').ok_or(NotASeal)?;
        let (seq, hash) = rest.split_once(':').ok_or(NotASeal)?;
        Ok(Self {
            study_id: study_id.parse().map_err(|_| NotASeal)?,
            seq: seq.parse().map_err(|_| NotASeal)?,
            hash: sha256(hash).ok_or(NotASeal)?,
        })
    }
}

/// Reads 64 hexadecimal digits.
fn sha256(digits: &str) -> Option<Vec<u8>> {
    hex::decode(digits).ok().filter(|bytes| bytes.len() == 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STUDY: Uuid = Uuid::from_u128(7);

    #[test]
    fn a_noted_seal_is_the_one_of_its_study_number_and_hash() {
        let seal = Seal { study_id: STUDY, seq: 3, prev_hash: vec![0; 32], hash: vec![0xab; 32], recomputed: vec![] };
        let noted = |study: Uuid, seq: i64, hash: &str| format!("{study}:{seq}:{}", hash.repeat(32)).parse();
        let is = |noted: Result<NotedSeal, NotASeal>| noted.map(|noted| noted.is(&seal));
        assert_eq!(is(noted(STUDY, 3, "ab")), Ok(true));
        assert_eq!(is(noted(STUDY, 3, "AB")), Ok(true));
        assert_eq!(is(noted(STUDY, 3, "ac")), Ok(false));
        assert_eq!(is(noted(STUDY, 2, "ab")), Ok(false));
        assert_eq!(is(noted(Uuid::nil(), 3, "ab")), Ok(false));
    }

    #[test]
    fn what_is_no_noted_seal_is_refused() {
        for text in ["", "1:2:3", &format!("{STUDY}:3"), &format!("{STUDY}:3:{}", "+a".repeat(32))] {
            assert_eq!(text.parse::<NotedSeal>(), Err(NotASeal), "{text}");
        }
    }
}
