use std::time::{SystemTime, UNIX_EPOCH};

/// A moment in UTC by RFC 3339: `2026-11-26T03:52:17.123456Z`.
pub(super) struct Timestamp([u8; 27]);

impl Timestamp {
    /// Moments before 1970 are shown as its beginning.
    pub(super) fn of(moment: SystemTime) -> Self {
        let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = since.as_secs();
        let (year, month, day) = date(seconds / 86_400);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        digits(&mut text[0..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], seconds / 3_600 % 24);
        digits(&mut text[14..16], seconds / 60 % 60);
        digits(&mut text[17..19], seconds % 60);
        digits(&mut text[20..26], since.subsec_micros().into());
        Self(text)
    }

    /// All of it.
    pub(super) fn micros(&self) -> &[u8] {
        &self.0
    }

    /// Up to the milliseconds, without the zone.
    pub(super) fn millis(&self) -> &[u8] {
        &self.0[..23]
    }
}

/// Writes the last digits of `value`, zeros first.
fn digits(place: &mut [u8], mut value: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b"0123456789"[(value % 10) as usize];
        value /= 10;
    }
}

/// Year, month and day of a day since 1970-01-01, by Howard Hinnant's `civil_from_days`: years begin in
/// March, so that the day a leap year has more is its last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn assert_shown(seconds: u64, micros: u32, expected: &str) {
        let shown = Timestamp::of(UNIX_EPOCH + Duration::new(seconds, micros * 1_000 + 999));
        assert_eq!(std::str::from_utf8(shown.micros()).unwrap(), expected);
        assert_eq!(shown.millis(), &expected.as_bytes()[..23]);
    }

    #[test]
    fn a_moment_is_shown_in_utc_to_the_microsecond() {
        assert_shown(0, 0, "1970-01-01T00:00:00.000000Z");
        assert_shown(1_795_664_337, 123_456, "2026-11-26T03:38:57.123456Z");
    }

    #[test]
    fn leap_days_and_ends_of_years_are_where_the_calendar_has_them() {
        assert_shown(951_782_399, 999_999, "2000-02-28T23:59:59.999999Z");
        assert_shown(951_782_400, 0, "2000-02-29T00:00:00.000000Z");
        assert_shown(951_868_800, 0, "2000-03-01T00:00:00.000000Z");
        assert_shown(1_735_689_599, 0, "2024-12-31T23:59:59.000000Z");
        assert_shown(4_107_542_400, 0, "2100-03-01T00:00:00.000000Z");
    }

    #[test]
    fn a_clock_before_1970_is_shown_as_its_beginning() {
        let before = Timestamp::of(UNIX_EPOCH - Duration::from_secs(1));
        assert_eq!(before.micros(), b"1970-01-01T00:00:00.000000Z");
    }
}
