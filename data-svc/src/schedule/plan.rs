//! Computes windows in absolute time from a schedule in the patient's local time. Pure functions.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Timelike, Utc};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

use crate::wall_clock::{self, Edge};

/// How a scheduled assignment's windows are made.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Day 0, in the patient's time zone.
    pub(crate) baseline_date: NaiveDate,
    /// The patient's time zone, an IANA name.
    pub(crate) time_zone: String,
    /// Days from the baseline date to the first window.
    pub(crate) first_day: i32,
    /// Days from one window to the next.
    pub(crate) every_days: i32,
    /// How many windows there are.
    pub(crate) windows: i32,
    /// Local time of day.
    pub(crate) opens: NaiveTime,
    /// Local time of day. If it is not later than `opens`, it is on the next day.
    pub(crate) closes: NaiveTime,
    /// How long after a window's end its report may still arrive.
    pub(crate) sync_for: TimeDelta,
}

/// Half open: `[opens_at, closes_at)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// Number in the plan, from 1.
    pub(crate) seq: i32,
    pub(crate) opens_at: DateTime<Utc>,
    pub(crate) closes_at: DateTime<Utc>,
    /// Until when a report captured in time may still arrive.
    pub(crate) sync_until: DateTime<Utc>,
}

/// Why a plan has no windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("the time zone is unknown")]
    UnknownTimeZone,
    #[error("a window lies outside the calendar")]
    OutOfRange,
    #[error("the clock jumps over every window")]
    NoWindow,
}

impl Plan {
    /// The plan's windows, in order, disjoint, none of them empty.
    ///
    /// A window that the clock skips is left out, because nobody could fill it in; the others keep their numbers. A
    /// window that would overlap the next one ends where that one opens: each moment belongs to one window, and the
    /// later window is the one that the patient is asked for then.
    pub(crate) fn windows(&self) -> Result<Vec<Window>, PlanError> {
        let zone = wall_clock::zone(&self.time_zone).ok_or(PlanError::UnknownTimeZone)?;
        let mut windows = Vec::new();
        // Backwards, so that the opening of the next window is known.
        let mut next_opening = DateTime::<Utc>::MAX_UTC;
        for seq in (1..=self.windows).rev() {
            let (opens_at, closes_at) = self.nominal(&zone, seq).ok_or(PlanError::OutOfRange)?;
            let closes_at = closes_at.min(next_opening);
            if opens_at < closes_at {
                let sync_until = closes_at.checked_add_signed(self.sync_for).ok_or(PlanError::OutOfRange)?;
                windows.push(Window { seq, opens_at, closes_at, sync_until });
                next_opening = opens_at;
            }
        }
        windows.reverse();
        Ok(windows)
    }

    /// Both ends of a window according to the plan, before it is cut at the next one. `None` outside the calendar.
    fn nominal(&self, zone: &TimeZone, seq: i32) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let days = i64::from(self.first_day) + i64::from(seq - 1) * i64::from(self.every_days);
        let day = date(self.baseline_date)?.checked_add(Span::new().try_days(days).ok()?).ok()?;
        let closing_day = if self.closes <= self.opens { day.tomorrow().ok()? } else { day };
        let opens_at = wall_clock::instant(zone, day.to_datetime(time(self.opens)?), Edge::Begin)?;
        let closes_at = wall_clock::instant(zone, closing_day.to_datetime(time(self.closes)?), Edge::End)?;
        Some((utc(opens_at)?, utc(closes_at)?))
    }
}

fn date(date: NaiveDate) -> Option<Date> {
    let (year, month, day) = (date.year().try_into().ok()?, date.month().try_into().ok()?, date.day().try_into().ok()?);
    Date::new(year, month, day).ok()
}

fn time(time: NaiveTime) -> Option<Time> {
    let since_midnight =
        SignedDuration::new(time.num_seconds_from_midnight().into(), time.nanosecond().try_into().ok()?);
    Time::midnight().checked_add(since_midnight).ok()
}

/// Converts to chrono, which the rest of the service uses, and to microseconds, the precision of the database.
fn utc(timestamp: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(timestamp.as_microsecond())
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
