use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};

use crate::problem::Problem;

/// A position in a chain of events. For clients it is an opaque string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventCursor(pub(crate) u64);

impl FromStr for EventCursor {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let mut bytes = [0; 8];
        let read = BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut bytes);
        let seq = u64::from_be_bytes(bytes);
        // The database uses signed numbers and counts from one.
        if read == Ok(8) && (1..=u64::MAX / 2).contains(&seq) { Ok(Self(seq)) } else { Err(Problem::MALFORMED_CURSOR) }
    }
}

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0.to_be_bytes()))
    }
}

impl Serialize for EventCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went_out() {
        for cursor in [EventCursor(1), EventCursor(1840), EventCursor(u64::MAX / 2)] {
            let text = cursor.to_string();
            assert_eq!((text.len(), text.parse()), (11, Ok(cursor)));
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let zero = EventCursor(0).to_string();
        let beyond = EventCursor(u64::MAX / 2 + 1).to_string();
        for text in ["", "abc", "AAAAAAAAAAE=", "AAAAAAAAAAEAAAA", "AAAAAAAAAAF", "AAAAAAAAA+E", &zero, &beyond] {
            assert_eq!(text.parse::<EventCursor>(), Err(Problem::MALFORMED_CURSOR), "{text}");
        }
    }
}
