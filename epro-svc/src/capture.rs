use std::str::FromStr;

use chrono::{DateTime, Timelike, Utc};
use prost_types::Timestamp;

use crate::assignment::Assignment;
use crate::leap_second;

/// chrono counts a leap second as that many nanoseconds, or more, of the second before.
const NANOS_A_SECOND: u32 = 1_000_000_000;

/// What is known about how a report came to be.
pub(crate) struct Capture<'a> {
    pub(crate) assignment: &'a Assignment,
    /// When the patient filled it in; none if that cannot be read.
    pub(crate) at: Option<Captured>,
    /// When it arrived.
    pub(crate) now: DateTime<Utc>,
    pub(crate) attested: bool,
    /// What was filled in, as `url|version`, if the sender says so.
    pub(crate) questionnaire: Option<&'a str>,
}

/// A time of capture: it was written as RFC 3339 wants it, with an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Captured(DateTime<Utc>);

impl Captured {
    pub(crate) fn time(self) -> DateTime<Utc> {
        self.0
    }

    pub(crate) fn timestamp(self) -> Timestamp {
        // A Timestamp has no leap seconds.
        let nanos = self.0.timestamp_subsec_nanos().min(NANOS_A_SECOND - 1);
        Timestamp { seconds: self.0.timestamp(), nanos: nanos.cast_signed() }
    }
}

/// The text is no time with an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotATime;

impl FromStr for Captured {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        // chrono also takes a blank for the T and a minus sign that is not ASCII's.
        if !text.is_ascii() || text.contains(' ') {
            return Err(NotATime);
        }
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| NotATime)?.to_utc();
        // chrono takes a 61st second in any minute.
        let is_leap_second = time.nanosecond() >= NANOS_A_SECOND;
        if is_leap_second && !leap_second::was_in_minute_of(time) { Err(NotATime) } else { Ok(Self(time)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_capture_is_rfc_3339_with_an_offset() {
        for text in ["2026-03-01T08:05:00+01:00", "2026-01-01T00:00:00Z", "2024-02-29T23:59:59.999-11:00"] {
            assert!(text.parse::<Captured>().is_ok(), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2026-03-01T08:00:00",
            "2027-02-29T08:00:00Z",
            "2026-02-28T24:00:00Z",
            "2026-03-01 08:00:00Z",
            "2026-03-01T08:00:00\u{2212}01:00",
            " 2026-03-01T08:00:00Z",
        ] {
            assert_eq!(text.parse::<Captured>(), Err(NotATime), "{text}");
        }
    }

    #[test]
    fn a_minute_has_a_61st_second_only_where_a_leap_second_was() {
        for text in ["2016-12-31T23:59:60Z", "2017-01-01T00:59:60.5+01:00", "2015-06-30T19:59:60-04:00"] {
            assert!(text.parse::<Captured>().is_ok(), "{text}");
        }
        for text in [
            "2026-03-01T08:05:60Z",
            "2026-12-31T23:59:60Z",
            "2016-12-31T23:59:60+01:00",
            "2016-06-30T23:59:60Z",
            "2016-12-31T23:58:60Z",
            "2016-12-30T23:59:60Z",
            "2016-12-31T23:59:61Z",
        ] {
            assert_eq!(text.parse::<Captured>(), Err(NotATime), "{text}");
        }
    }

    #[test]
    fn a_leap_second_is_a_timestamp_that_others_can_read() {
        let captured = "2016-12-31T23:59:60Z".parse::<Captured>().unwrap();
        assert_eq!(captured.timestamp(), Timestamp { seconds: 1_483_228_799, nanos: 999_999_999 });
    }
}
