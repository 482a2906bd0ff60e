use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proto::domain as pb;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::problem::Problem;

const MICROS_PER_SECOND: i64 = 1_000_000;
/// 0001-01-01T00:00:00Z, in microseconds since 1970. The database stores no earlier time.
const EARLIEST: i64 = -62_135_596_800_000_000;
/// 9999-12-31T23:59:59.999999Z. The database may not be able to read a later time.
const LATEST: i64 = 253_402_300_799_999_999;

/// A position in a list. For clients it is an opaque string.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cursor(pub(crate) pb::Cursor);

impl FromStr for Cursor {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let mut bytes = [0; 24];
        match BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(24) => {}
            _ => return Err(Problem::MALFORMED_CURSOR),
        }
        let (time, id) = bytes.split_at(8);
        let micros = time.try_into().map(i64::from_be_bytes).map_err(|_| Problem::MALFORMED_CURSOR)?;
        if !(EARLIEST..=LATEST).contains(&micros) {
            return Err(Problem::MALFORMED_CURSOR);
        }
        let id = Uuid::from_slice(id).map_err(|_| Problem::MALFORMED_CURSOR)?;
        let nanos =
            i32::try_from(micros.rem_euclid(MICROS_PER_SECOND) * 1000).map_err(|_| Problem::MALFORMED_CURSOR)?;
        let time = prost_types::Timestamp { seconds: micros.div_euclid(MICROS_PER_SECOND), nanos };
        Ok(Self(pb::Cursor { time: Some(time), id: id.to_string() }))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0.time.unwrap_or_default();
        let micros = time.seconds * MICROS_PER_SECOND + i64::from(time.nanos / 1000);
        let id = self.0.id.parse::<Uuid>().unwrap_or_default();
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&micros.to_be_bytes());
        bytes[8..].copy_from_slice(id.as_bytes());
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(seconds: i64, nanos: i32) -> Cursor {
        let time = Some(prost_types::Timestamp { seconds, nanos });
        Cursor(pb::Cursor { time, id: "0f0a4c55-9d0e-4a1b-8c3d-4e5f60718293".to_owned() })
    }

    #[test]
    fn a_cursor_comes_back_as_it_went_out() {
        for cursor in [
            cursor(-62_135_596_800, 0),
            cursor(-1, 999_999_000),
            cursor(0, 0),
            cursor(1_795_000_000, 123_456_000),
            cursor(253_402_300_799, 999_999_000),
        ] {
            let text = cursor.to_string();
            assert_eq!(text.len(), 32);
            assert_eq!(text.parse(), Ok(cursor));
        }
    }

    #[test]
    fn a_word_of_somebody_elses_is_no_cursor() {
        let good = cursor(1_795_000_000, 0).to_string();
        let words = [
            String::new(),
            "abc".to_owned(),
            good[1..].to_owned(),
            format!("{good}A"),
            format!("{good}===="),
            good.replacen('A', "+", 1),
            format!(" {}", &good[1..]),
            // before the year 1, and after the year 9999
            cursor(-62_135_596_801, 0).to_string(),
            cursor(253_402_300_800, 0).to_string(),
            "g".repeat(32),
            "é".repeat(16),
        ];
        for word in words {
            assert_eq!(word.parse::<Cursor>(), Err(Problem::MALFORMED_CURSOR), "{word}");
        }
    }
}
