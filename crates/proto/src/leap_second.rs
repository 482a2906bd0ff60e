use chrono::{DateTime, Datelike, Timelike, Utc};

/// The years whose June or December had a leap second at its end, by Bulletin C of the International Earth Rotation and
/// Reference Systems Service, 1972 to 2026. A new one has to be added here when it is announced.
const JUNE: [i32; 11] = [1972, 1981, 1982, 1983, 1985, 1992, 1993, 1994, 1997, 2012, 2015];
const DECEMBER: [i32; 16] =
    [1972, 1973, 1974, 1975, 1976, 1977, 1978, 1979, 1987, 1989, 1990, 1995, 1998, 2005, 2008, 2016];

/// Whether the minute of this time ended with a leap second, 23:59:60 UTC.
pub(crate) fn was_in_minute_of(time: DateTime<Utc>) -> bool {
    let ends_in = match (time.month(), time.day()) {
        (6, 30) => &JUNE[..],
        (12, 31) => &DECEMBER[..],
        _ => return false,
    };
    ends_in.contains(&time.year()) && (time.hour(), time.minute()) == (23, 59)
}
