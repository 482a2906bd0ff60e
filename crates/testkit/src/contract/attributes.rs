//! The keys that attributes may have: OpenTelemetry's, and those of one file of our own.

use trace_testing::conventions;

use crate::trace::Span;

/// The one file.
const OWN: &str = include_str!("../../../service-kit/src/attribute.rs");

/// The keys of a span and of its events that are neither OpenTelemetry's nor ours.
pub(super) fn unknown(span: &Span) -> Vec<&str> {
    conventions::unknown(span, is_own)
}

fn is_own(key: &str) -> bool {
    OWN.split('"').skip(1).step_by(2).any(|own| own == key)
}

#[cfg(test)]
mod tests {
    use super::is_own;

    #[test]
    fn names_of_our_own_are_those_of_the_file() {
        assert!(is_own("epro.delivery.attempt") && !is_own("epro.delivery.attempts") && !is_own(""));
    }
}
