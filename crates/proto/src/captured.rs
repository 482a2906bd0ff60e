//! A time of capture, as phones send it, services pass it on and Postgres stores it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, Timelike, Utc};
use prost_types::Timestamp;

use crate::{domain, leap_second};

/// chrono represents a leap second as the second before it with this many nanoseconds or more.
const NANOS_A_SECOND: u32 = 1_000_000_000;

/// When a patient filled in a questionnaire, with the offset of the phone's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captured(DateTime<FixedOffset>);

impl Captured {
    /// The point in time.
    pub fn time(self) -> DateTime<Utc> {
        self.0.to_utc()
    }

    /// The time that the phone's clock showed.
    pub fn local(self) -> DateTime<FixedOffset> {
        self.0
    }

    /// Offset of the phone's clock from UTC in seconds, positive to the east.
    pub fn offset_seconds(self) -> i32 {
        self.0.offset().local_minus_utc()
    }
}

impl From<DateTime<FixedOffset>> for Captured {
    /// Neither [`Timestamp`] nor Postgres can represent a leap second, so it becomes the end of the second before.
    fn from(time: DateTime<FixedOffset>) -> Self {
        let nanos = time.nanosecond().min(NANOS_A_SECOND - 1);
        Self(time.with_nanosecond(nanos).unwrap_or(time))
    }
}

/// The value is not a time with an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotATime;

impl FromStr for Captured {
    type Err = NotATime;

    /// Reads RFC 3339 strictly.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        // chrono also accepts a space instead of the T, and a minus sign that is not ASCII.
        if !text.is_ascii() || text.contains(' ') {
            return Err(NotATime);
        }
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| NotATime)?;
        // chrono accepts a 61st second in any minute.
        let is_leap_second = time.nanosecond() >= NANOS_A_SECOND;
        if is_leap_second && !leap_second::was_in_minute_of(time.to_utc()) { Err(NotATime) } else { Ok(time.into()) }
    }
}

impl fmt::Display for Captured {
    /// RFC 3339 with the offset.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339())
    }
}

impl From<Captured> for domain::Captured {
    fn from(captured: Captured) -> Self {
        let time = captured.time();
        let time = Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos().cast_signed() };
        Self { time: Some(time), offset_seconds: captured.offset_seconds() }
    }
}

impl TryFrom<domain::Captured> for Captured {
    type Error = NotATime;

    fn try_from(captured: domain::Captured) -> Result<Self, NotATime> {
        let time = captured.time.ok_or(NotATime)?;
        let nanos = time.nanos.try_into().map_err(|_| NotATime)?;
        let time = DateTime::from_timestamp(time.seconds, nanos).ok_or(NotATime)?;
        let offset = FixedOffset::east_opt(captured.offset_seconds).ok_or(NotATime)?;
        Ok(time.with_timezone(&offset).into())
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
    fn a_time_of_capture_comes_back_as_it_was_sent() {
        for text in ["2026-03-01T08:05:00+01:00", "2026-03-01T00:00:00.123456-11:00", "2026-02-28T08:00:00+05:45"] {
            let captured = text.parse::<Captured>().unwrap();
            assert_eq!(captured.to_string(), text);
            assert_eq!(Captured::try_from(domain::Captured::from(captured)), Ok(captured));
        }
    }

    #[test]
    fn a_leap_second_is_a_time_that_others_can_read() {
        let captured = "2017-01-01T00:59:60+01:00".parse::<Captured>().unwrap();
        let time = Some(Timestamp { seconds: 1_483_228_799, nanos: 999_999_999 });
        assert_eq!(domain::Captured::from(captured), domain::Captured { time, offset_seconds: 3600 });
    }

    #[test]
    fn a_message_without_a_time_or_with_an_offset_of_a_day_is_no_time() {
        let time = Some(Timestamp::default());
        let nanos = |nanos| Some(Timestamp { seconds: 0, nanos });
        for (time, offset_seconds) in [(None, 0), (time, 86_400), (time, -86_400), (nanos(-1), 0)] {
            assert_eq!(Captured::try_from(domain::Captured { time, offset_seconds }), Err(NotATime));
        }
    }
}
