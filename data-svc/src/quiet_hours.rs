//! Quiet hours: the time of day when a site gets no notifications that can wait.

use chrono::{DateTime, Utc};
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::wall_clock::{self, Edge};

/// Half open: `[from, until)` in the site's local time. `until` may be on the next day.
#[derive(Debug)]
pub(crate) struct QuietHours {
    from: Time,
    until: Time,
    zone: TimeZone,
}

impl QuietHours {
    /// Parses `[from, until, IANA time zone]`. `None` if a part is invalid: no notification is held back then.
    pub(crate) fn parse(parts: &[String]) -> Option<Self> {
        let [from, until, zone] = parts else { return None };
        Some(Self { from: time_of_day(from)?, until: time_of_day(until)?, zone: wall_clock::zone(zone)? })
    }

    /// The end of the quiet hours that contain `now`. `None` outside of quiet hours.
    pub(crate) fn end(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let now = Timestamp::from_microsecond(now.timestamp_micros()).ok()?;
        let today = now.to_zoned(self.zone.clone()).date();
        let end = [today.yesterday().ok()?, today].into_iter().find_map(|day| {
            let last = if self.until <= self.from { day.tomorrow().ok()? } else { day };
            let from = wall_clock::instant(&self.zone, day.to_datetime(self.from), Edge::Begin)?;
            let until = wall_clock::instant(&self.zone, last.to_datetime(self.until), Edge::End)?;
            (from <= now && now < until).then_some(until)
        })?;
        DateTime::from_timestamp_micros(end.as_microsecond())
    }
}

/// Parses a time as Postgres writes it. Postgres also has 24:00 for the end of a day, which is the midnight of the next
/// day.
fn time_of_day(text: &str) -> Option<Time> {
    if text == "24:00:00" { Some(Time::midnight()) } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(from: &str, until: &str) -> QuietHours {
        QuietHours::parse(&[from.to_owned(), until.to_owned(), "Europe/Berlin".to_owned()]).unwrap()
    }

    /// The end in the site's local time.
    fn end(hours: &QuietHours, now: &str) -> Option<String> {
        let now: DateTime<Utc> = now.parse().unwrap();
        let zoned = |end: DateTime<Utc>| end.to_rfc3339().parse::<Timestamp>().unwrap().to_zoned(hours.zone.clone());
        Some(zoned(hours.end(now)?).strftime("%F %R %:z").to_string())
    }

    #[test]
    fn a_night_ends_in_the_morning_whichever_side_of_midnight_it_is() {
        let night = quiet("22:00:00", "07:00:00");
        assert_eq!(end(&night, "2026-11-10T22:30:00+01:00").as_deref(), Some("2026-11-11 07:00 +01:00"));
        assert_eq!(end(&night, "2026-11-11T01:00:00+01:00").as_deref(), Some("2026-11-11 07:00 +01:00"));
    }

    #[test]
    fn an_afternoon_ends_on_the_same_day() {
        let nap = quiet("13:00:00", "15:00:00");
        assert_eq!(end(&nap, "2026-11-10T14:00:00+01:00").as_deref(), Some("2026-11-10 15:00 +01:00"));
        assert_eq!(end(&nap, "2026-11-10T16:00:00+01:00"), None);
    }

    #[test]
    fn an_evening_may_end_at_24_o_clock() {
        let evening = quiet("20:00:00", "24:00:00");
        assert_eq!(end(&evening, "2026-11-10T22:30:00+01:00").as_deref(), Some("2026-11-11 00:00 +01:00"));
        assert_eq!(end(&evening, "2026-11-11T00:00:00+01:00"), None);
    }

    #[test]
    fn the_first_moment_is_quiet_and_the_last_is_not() {
        let night = quiet("22:00:00", "07:00:00");
        assert!(end(&night, "2026-11-10T22:00:00+01:00").is_some());
        assert_eq!(end(&night, "2026-11-10T21:59:59.999999+01:00"), None);
        assert_eq!(end(&night, "2026-11-11T07:00:00+01:00"), None);
    }

    #[test]
    fn an_end_that_the_clock_skips_in_spring_is_the_moment_it_is_set_forward() {
        let night = quiet("22:00:00", "02:30:00");
        assert_eq!(end(&night, "2026-03-29T01:00:00+01:00").as_deref(), Some("2026-03-29 03:00 +02:00"));
    }

    #[test]
    fn an_end_that_comes_twice_in_autumn_is_the_later_one() {
        let night = quiet("22:00:00", "02:30:00");
        assert_eq!(end(&night, "2026-10-25T02:15:00+02:00").as_deref(), Some("2026-10-25 02:30 +01:00"));
        assert_eq!(end(&night, "2026-10-25T02:15:00+01:00").as_deref(), Some("2026-10-25 02:30 +01:00"));
    }

    #[test]
    fn a_beginning_that_is_skipped_or_comes_twice_is_the_first_moment_it_can_be() {
        let early = quiet("02:30:00", "05:00:00");
        assert_eq!(end(&early, "2026-03-29T03:00:00+02:00").as_deref(), Some("2026-03-29 05:00 +02:00"));
        assert_eq!(end(&early, "2026-03-29T01:59:00+01:00"), None);
        assert_eq!(end(&early, "2026-10-25T02:30:00+02:00").as_deref(), Some("2026-10-25 05:00 +01:00"));
        assert_eq!(end(&early, "2026-10-25T02:00:00+01:00").as_deref(), Some("2026-10-25 05:00 +01:00"));
    }

    #[test]
    fn a_zone_that_is_none_holds_nothing_back() {
        let parts = ["22:00:00", "07:00:00", "Mars/Olympus_Mons"].map(str::to_owned);
        assert!(QuietHours::parse(&parts).is_none());
    }
}
