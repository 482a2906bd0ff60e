//! Properties that hold in every time zone, near every clock change, for all times of day.

use std::sync::LazyLock;

use jiff::civil;
use jiff::tz::db;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const MINUTES_A_DAY: u32 = 24 * 60;
/// Days in a plan around a clock change.
const DAYS: i32 = 6;

static ZONES: LazyLock<Vec<String>> = LazyLock::new(|| {
    db().available().map(|name| name.to_string()).filter(|name| !name.starts_with("Etc/Unknown")).collect()
});

/// Each zone with a day three days before a clock change, for every change from 2026 to 2028. Zones without clock
/// changes appear once.
static CHANGES: LazyLock<Vec<(String, NaiveDate)>> = LazyLock::new(|| {
    let (from, until) = (timestamp("2026-01-01T00:00:00Z"), timestamp("2029-01-01T00:00:00Z"));
    let start = |zone: &TimeZone, change: Timestamp| {
        let day = zone.to_datetime(change).date().checked_sub(Span::new().days(3)).expect("a day before");
        day.to_string().parse().expect("a date")
    };
    ZONES
        .iter()
        .flat_map(|name| {
            let zone = TimeZone::get(name).expect("a zone");
            let changes: Vec<_> = zone
                .following(from)
                .map(|transition| transition.timestamp())
                .take_while(|change| *change < until)
                .collect();
            let changes = if changes.is_empty() { vec![from] } else { changes };
            changes.into_iter().map(|change| (name.clone(), start(&zone, change))).collect::<Vec<_>>()
        })
        .collect()
});

fn timestamp(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn time_of_day() -> impl Strategy<Value = NaiveTime> {
    // Half of the times are in the first four hours of the day, when clocks change.
    prop_oneof![0..240_u32, 0..MINUTES_A_DAY]
        .prop_map(|minute| NaiveTime::from_hms_opt(minute / 60, minute % 60, 0).expect("a time of day"))
}

fn plan(zone: &str, baseline_date: NaiveDate, opens: NaiveTime, closes: NaiveTime) -> Plan {
    let (time_zone, sync_for) = (zone.to_owned(), TimeDelta::hours(72));
    Plan { baseline_date, time_zone, first_day: 0, every_days: 1, windows: DAYS, opens, closes, sync_for }
}

/// All moments at which a clock in the zone shows the local time: none, one or two. Unlike the plan, this converts
/// moments to local times, never the other way round, so that the test does not repeat the code.
fn moments(zone: &TimeZone, shown: civil::DateTime) -> Vec<Timestamp> {
    let as_utc = jiff::tz::Offset::UTC.to_timestamp(shown).expect("an instant");
    let mut moments: Vec<_> = [-30, 30]
        .into_iter()
        .map(|hours| zone.to_offset(as_utc + SignedDuration::from_hours(hours)))
        .filter_map(|offset| offset.to_timestamp(shown).ok())
        .filter(|moment| zone.to_datetime(*moment) == shown)
        .collect();
    moments.sort_unstable();
    moments.dedup();
    moments
}

/// Whether the clock skips the local time with its change at this moment.
fn jumps(zone: &TimeZone, shown: civil::DateTime, at: Timestamp) -> bool {
    let before = at - SignedDuration::from_nanos(1);
    zone.to_datetime(before) < shown && shown < zone.to_datetime(at)
}

fn in_jiff(moment: DateTime<Utc>) -> Timestamp {
    Timestamp::from_microsecond(moment.timestamp_micros()).expect("an instant")
}

/// The local times at which a window should open and close.
fn asked(plan: &Plan, window: i32) -> (civil::DateTime, civil::DateTime) {
    let day = plan.baseline_date + TimeDelta::days((window - 1).into());
    let closing_day = if plan.closes <= plan.opens { day + TimeDelta::days(1) } else { day };
    let shown = |day: NaiveDate, time: NaiveTime| day.and_time(time).format("%FT%T").to_string();
    let civil = |text: String| text.parse().expect("a clock time");
    (civil(shown(day, plan.opens)), civil(shown(closing_day, plan.closes)))
}

fn check_order(windows: &[Window]) -> Result<(), TestCaseError> {
    for window in windows {
        prop_assert!(window.opens_at < window.closes_at && window.closes_at <= window.sync_until);
    }
    for pair in windows.windows(2) {
        prop_assert!(pair[0].seq < pair[1].seq && pair[0].closes_at <= pair[1].opens_at);
    }
    Ok(())
}

/// Checks that the window opens and closes at its local times, as far as the clock allows; `next` is the window after
/// it.
fn check_window(plan: &Plan, window: &Window, next: Option<&Window>) -> Result<(), TestCaseError> {
    let zone = TimeZone::get(&plan.time_zone).expect("a zone");
    let (opening, closing) = asked(plan, window.seq);
    let (opens_at, closes_at) = (in_jiff(window.opens_at), in_jiff(window.closes_at));
    match moments(&zone, opening).first() {
        Some(first) => prop_assert_eq!(opens_at, *first, "{:?}", plan),
        None => prop_assert!(jumps(&zone, opening, opens_at), "{:?}", plan),
    }
    if next.is_none_or(|next| window.closes_at < next.opens_at) {
        match moments(&zone, closing).last() {
            Some(last) => prop_assert_eq!(closes_at, *last, "{:?}", plan),
            None => prop_assert!(jumps(&zone, closing, closes_at), "{:?}", plan),
        }
    } else if let Some(last) = moments(&zone, closing).last() {
        // A window can be cut at the next one, but never be longer than planned.
        prop_assert!(closes_at <= *last, "{:?}", plan);
    }
    // The largest change of these years is two hours, in Antarctica.
    prop_assert!(window.closes_at - window.opens_at <= TimeDelta::hours(26), "{:?}", plan);
    Ok(())
}

fn check(plan: &Plan) -> Result<(), TestCaseError> {
    let windows = plan.windows().expect("a plan with windows");
    check_order(&windows)?;
    for (index, window) in windows.iter().enumerate() {
        check_window(plan, window, windows.get(index + 1))?;
    }
    let zone = TimeZone::get(&plan.time_zone).expect("a zone");
    for seq in (1..=plan.windows).filter(|seq| windows.iter().all(|window| window.seq != *seq)) {
        let (opening, _) = asked(plan, seq);
        prop_assert!(moments(&zone, opening).is_empty(), "window {} of {:?} is left out", seq, plan);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn near_every_change_of_every_clock_the_windows_are_those_asked_for(opens in time_of_day(), closes in time_of_day()) {
        for (zone, day) in CHANGES.iter() {
            check(&plan(zone, *day, opens, closes))?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_are_those_asked_for_at_any_time_of_day(
        (zone, day) in select(&CHANGES[..]), opens in time_of_day(), closes in time_of_day()
    ) {
        check(&plan(&zone, day, opens, closes))?;
    }

    #[test]
    fn no_plan_makes_it_panic(
        days in 0..110_000_i64,
        time_zone in prop_oneof![3 => select(&ZONES[..]), 1 => any::<String>()],
        first_day in prop_oneof![0..1000_i32, any::<i32>()],
        every_days in prop_oneof![1..30_i32, any::<i32>()],
        windows in 0..20_i32,
        opens in time_of_day(),
        closes in time_of_day(),
        sync_for in any::<i64>(),
    ) {
        let baseline_date = NaiveDate::from_ymd_opt(1900, 1, 1).expect("a date") + TimeDelta::days(days);
        let sync_for = TimeDelta::seconds(sync_for / 1000);
        let plan = Plan { baseline_date, time_zone, first_day, every_days, windows, opens, closes, sync_for };
        if let Ok(windows) = plan.windows() && plan.sync_for >= TimeDelta::zero() {
            check_order(&windows)?;
        }
    }
}
