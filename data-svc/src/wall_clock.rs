//! Converts local times to moments. All handling of clock changes is here.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

/// Which end of a span a local time is. If the clock shows the time twice, a span begins at the first moment and ends
/// at the second, so that it contains every moment whose local time lies in it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Edge {
    Begin,
    End,
}

/// The zone with this IANA name, from the time zone database that is built into the program.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok().filter(|zone| !zone.is_unknown())
}

/// The moment at which a clock in the zone shows the local time. A time that is skipped counts as the first moment
/// after the gap. `None` outside the calendar.
pub(crate) fn instant(zone: &TimeZone, local: DateTime, edge: Edge) -> Option<Timestamp> {
    match (zone.to_ambiguous_timestamp(local).offset(), edge) {
        (AmbiguousOffset::Unambiguous { offset }, _) => offset.to_timestamp(local).ok(),
        (AmbiguousOffset::Fold { before, .. }, Edge::Begin) => before.to_timestamp(local).ok(),
        (AmbiguousOffset::Fold { after, .. }, Edge::End) => after.to_timestamp(local).ok(),
        // With the offset that is valid after the gap, a skipped time becomes a moment before the gap.
        (AmbiguousOffset::Gap { after, .. }, _) => gap_end(zone, after.to_timestamp(local).ok()?, after),
    }
}

/// The first transition to the offset after a moment.
fn gap_end(zone: &TimeZone, before: Timestamp, offset: Offset) -> Option<Timestamp> {
    zone.following(before).find(|transition| transition.offset() == offset).map(|transition| transition.timestamp())
}
