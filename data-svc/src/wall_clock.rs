//! From times as a clock on the wall shows them to moments. The one place that knows about clock changes.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

/// A span's end: of a time that comes twice, a span begins at the first and ends at the second, so that it holds
/// whenever the clock shows a time that lies in it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Edge {
    Begin,
    End,
}

/// The zone of an IANA name, from the database that travels in the program.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok().filter(|zone| !zone.is_unknown())
}

/// When the clock on the wall shows the local time; a time that is skipped counts as the first moment after the
/// gap. `None` outside the calendar.
pub(crate) fn instant(zone: &TimeZone, local: DateTime, edge: Edge) -> Option<Timestamp> {
    match (zone.to_ambiguous_timestamp(local).offset(), edge) {
        (AmbiguousOffset::Unambiguous { offset }, _) => offset.to_timestamp(local).ok(),
        (AmbiguousOffset::Fold { before, .. }, Edge::Begin) => before.to_timestamp(local).ok(),
        (AmbiguousOffset::Fold { after, .. }, Edge::End) => after.to_timestamp(local).ok(),
        // The later offset puts a skipped time before the gap.
        (AmbiguousOffset::Gap { after, .. }, _) => gap_end(zone, after.to_timestamp(local).ok()?, after),
    }
}

/// The first change to the offset after a moment.
fn gap_end(zone: &TimeZone, before: Timestamp, offset: Offset) -> Option<Timestamp> {
    zone.following(before).find(|transition| transition.offset() == offset).map(|transition| transition.timestamp())
}
