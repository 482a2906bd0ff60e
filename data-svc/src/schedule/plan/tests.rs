use super::*;

/// One window: local times as input, moments as the result.
struct Example {
    zone: &'static str,
    day: &'static str,
    opens: &'static str,
    closes: &'static str,
    expected: Option<(&'static str, &'static str)>,
}

const fn example(
    zone: &'static str,
    day: &'static str,
    opens: &'static str,
    closes: &'static str,
    opens_at: &'static str,
    closes_at: &'static str,
) -> Example {
    Example { zone, day, opens, closes, expected: Some((opens_at, closes_at)) }
}

fn plan(zone: &str, day: &str, opens: &str, closes: &str) -> Plan {
    Plan {
        baseline_date: day.parse().expect("a date"),
        time_zone: zone.to_owned(),
        first_day: 0,
        every_days: 1,
        windows: 1,
        opens: opens.parse().expect("a time"),
        closes: closes.parse().expect("a time"),
        sync_for: TimeDelta::hours(72),
    }
}

fn check(examples: &[Example]) {
    for Example { zone, day, opens, closes, expected } in examples {
        let windows = plan(zone, day, opens, closes).windows().expect("a plan with windows");
        let actual: Vec<_> = windows.iter().map(|window| (window.opens_at, window.closes_at)).collect();
        let instant = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
        let expected: Vec<_> =
            expected.iter().map(|(opens_at, closes_at)| (instant(opens_at), instant(closes_at))).collect();
        assert_eq!(actual, expected, "{zone} {day} {opens}-{closes}");
    }
}

#[test]
fn an_opening_that_the_clock_skips_moves_to_the_end_of_the_gap() {
    check(&[
        example("Europe/Berlin", "2026-03-29", "02:30", "20:00", "2026-03-29T01:00:00Z", "2026-03-29T18:00:00Z"),
        example("America/New_York", "2027-03-14", "02:00", "09:00", "2027-03-14T07:00:00Z", "2027-03-14T13:00:00Z"),
        // The clock changes by half an hour only: 02:00 becomes 02:30.
        example("Australia/Lord_Howe", "2026-10-04", "02:10", "03:00", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"),
        // In local time, the clock changes in the evening before.
        example("America/Nuuk", "2026-03-28", "23:30", "12:00", "2026-03-29T01:00:00Z", "2026-03-29T13:00:00Z"),
        example("Africa/Casablanca", "2026-03-22", "02:30", "08:00", "2026-03-22T02:00:00Z", "2026-03-22T07:00:00Z"),
    ]);
}

#[test]
fn a_close_that_the_clock_skips_moves_to_the_end_of_the_gap() {
    check(&[
        example("Europe/Berlin", "2026-03-28", "06:00", "02:30", "2026-03-28T05:00:00Z", "2026-03-29T01:00:00Z"),
        example("Europe/Berlin", "2026-03-29", "01:30", "02:30", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
    ]);
}

#[test]
fn a_close_that_comes_twice_is_the_later_one() {
    check(&[
        example("Europe/Berlin", "2026-10-24", "06:00", "02:30", "2026-10-24T04:00:00Z", "2026-10-25T01:30:00Z"),
        example("America/New_York", "2027-11-06", "06:00", "01:30", "2027-11-06T10:00:00Z", "2027-11-07T06:30:00Z"),
        example("Australia/Lord_Howe", "2026-04-04", "06:00", "01:45", "2026-04-03T19:00:00Z", "2026-04-04T15:15:00Z"),
        example("Africa/Casablanca", "2026-02-14", "12:00", "02:30", "2026-02-14T11:00:00Z", "2026-02-15T02:30:00Z"),
    ]);
}

#[test]
fn an_opening_that_comes_twice_is_the_earlier_one() {
    check(&[
        example("Europe/Berlin", "2026-10-25", "02:30", "20:00", "2026-10-25T00:30:00Z", "2026-10-25T19:00:00Z"),
        example("Europe/Berlin", "2026-10-25", "02:15", "02:45", "2026-10-25T00:15:00Z", "2026-10-25T01:45:00Z"),
    ]);
}

#[test]
fn zones_from_one_end_of_the_earth_to_the_other_have_windows() {
    check(&[
        example("Pacific/Pago_Pago", "2026-06-01", "06:00", "22:00", "2026-06-01T17:00:00Z", "2026-06-02T09:00:00Z"),
        example("Pacific/Kiritimati", "2026-06-01", "06:00", "22:00", "2026-05-31T16:00:00Z", "2026-06-01T08:00:00Z"),
        example("Asia/Kathmandu", "2026-06-01", "06:00", "22:00", "2026-06-01T00:15:00Z", "2026-06-01T16:15:00Z"),
    ]);
}

#[test]
fn the_leap_day_is_a_day() {
    check(&[
        example("Europe/Berlin", "2028-02-29", "06:00", "22:00", "2028-02-29T05:00:00Z", "2028-02-29T21:00:00Z"),
        example("Europe/Berlin", "2028-02-28", "22:00", "06:00", "2028-02-28T21:00:00Z", "2028-02-29T05:00:00Z"),
    ]);
    let days: Vec<_> = Plan { windows: 3, ..plan("Etc/UTC", "2028-02-28", "06:00", "22:00") }
        .windows()
        .expect("a plan with windows")
        .iter()
        .map(|window| window.opens_at.date_naive().to_string())
        .collect();
    assert_eq!(days, ["2028-02-28", "2028-02-29", "2028-03-01"]);
}

#[test]
fn a_close_that_is_not_later_than_the_opening_is_on_the_next_day() {
    check(&[
        example("Etc/UTC", "2026-06-01", "06:00", "06:00", "2026-06-01T06:00:00Z", "2026-06-02T06:00:00Z"),
        example("Etc/UTC", "2026-06-01", "06:00", "05:59", "2026-06-01T06:00:00Z", "2026-06-02T05:59:00Z"),
        example("Etc/UTC", "2026-06-01", "06:00", "06:01", "2026-06-01T06:00:00Z", "2026-06-01T06:01:00Z"),
    ]);
}

#[test]
fn a_window_that_the_clock_skips_is_left_out() {
    let skipped = |zone, day, opens, closes| Example { zone, day, opens, closes, expected: None };
    check(&[
        skipped("Europe/Berlin", "2026-03-29", "02:10", "02:40"),
        // Samoa moved across the date line: this day does not exist there.
        skipped("Pacific/Apia", "2011-12-30", "06:00", "22:00"),
    ]);
}

#[test]
fn the_windows_around_a_skipped_day_keep_their_numbers() {
    let windows = Plan { windows: 3, ..plan("Pacific/Apia", "2011-12-29", "06:00", "22:00") }.windows();
    let numbers: Vec<_> = windows.expect("a plan with windows").iter().map(|window| window.seq).collect();
    assert_eq!(numbers, [1, 3]);
}

#[test]
fn a_window_ends_where_the_next_one_opens() {
    // The clock shows 02:30 twice. Without the cut, both windows would contain the hour in between.
    let windows = Plan { windows: 2, ..plan("Europe/Berlin", "2026-10-24", "02:30", "02:30") }.windows();
    let windows = windows.expect("a plan with windows");
    assert_eq!(windows[0].closes_at, windows[1].opens_at);
    assert_eq!(windows[1].opens_at.to_rfc3339(), "2026-10-25T00:30:00+00:00");
    assert_eq!(windows[0].sync_until, windows[0].closes_at + TimeDelta::hours(72));
}

#[test]
fn windows_follow_the_plan_from_its_first_day() {
    let plan =
        Plan { first_day: 2, every_days: 7, windows: 3, ..plan("Europe/Berlin", "2026-03-20", "08:00", "20:00") };
    let openings: Vec<_> = plan
        .windows()
        .expect("a plan with windows")
        .iter()
        .map(|window| (window.seq, window.opens_at.to_rfc3339()))
        .collect();
    let expected = ["2026-03-22T07:00:00+00:00", "2026-03-29T06:00:00+00:00", "2026-04-05T06:00:00+00:00"];
    assert_eq!(openings, (1..).zip(expected.map(str::to_owned)).collect::<Vec<_>>());
}

#[test]
fn a_zone_that_nobody_knows_is_an_error() {
    for zone in ["", "Mars/Olympus", "Etc/Unknown", "../../etc/passwd", "Europe/Berlin\0", "CET-1CEST"] {
        let windows = plan(zone, "2026-06-01", "06:00", "22:00").windows();
        assert_eq!(windows, Err(PlanError::UnknownTimeZone), "{zone:?}");
    }
}

#[test]
fn a_plan_that_leaves_the_calendar_is_an_error() {
    let base = plan("Europe/Berlin", "2026-06-01", "06:00", "22:00");
    for plan in [
        Plan { first_day: i32::MAX, ..base.clone() },
        Plan { every_days: i32::MAX, windows: 3660, ..base.clone() },
        Plan { sync_for: TimeDelta::MAX, ..base.clone() },
        Plan { baseline_date: NaiveDate::MAX, ..base.clone() },
        Plan { baseline_date: NaiveDate::MIN, ..base },
    ] {
        assert_eq!(plan.windows(), Err(PlanError::OutOfRange), "{plan:?}");
    }
}
