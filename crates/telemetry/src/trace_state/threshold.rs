use std::fmt;

use opentelemetry::trace::TraceId;

/// The number of values that 56 random bits have.
const VALUES: u64 = 1 << 56;

/// Hexadecimal digits of 56 bits.
const DIGITS: u32 = 14;

/// The significant digits of a threshold after leading `f`s, as the specification recommends.
const PRECISION: i32 = 4;

/// The random bits of a trace, by which every service decides: its [explicit
/// randomness](https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/#explicit-randomness-value-rv), or
/// else the last seven bytes of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Randomness(u64);

impl Randomness {
    pub(crate) fn of(trace_id: TraceId) -> Self {
        let [_, _, _, _, _, _, _, _, low @ ..] = trace_id.to_bytes();
        Self(u64::from_be_bytes(low) % VALUES)
    }

    /// Reads exactly 14 digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() == DIGITS as usize { digits(text).map(Self) } else { None }
    }
}

/// How many of the 2^56 values of [`Randomness`] are rejected: the probability of being kept, as
/// [OpenTelemetry](https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/) writes it. Every
/// lower threshold also keeps what a higher one keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Threshold(u64);

impl Threshold {
    /// Rejects nothing.
    pub(crate) const ALL: Self = Self(0);

    /// The threshold of a ratio up to 1; `None` if it is so small that nothing is kept.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number from 0 to 2^56")]
    #[expect(clippy::cast_precision_loss, reason = "a power of two")]
    pub(crate) fn of_ratio(ratio: f64) -> Option<Self> {
        let kept = (ratio.min(1.0) * VALUES as f64).round() as u64;
        let rejected = VALUES - kept;
        // Leading digits `f` do not count as significant.
        let leading = i32::try_from((rejected << 8).leading_ones() / 4).unwrap_or_default();
        let shift = 4 * (DIGITS.cast_signed() - PRECISION - leading).max(0);
        let half = 1 << shift >> 1;
        let rounded = (rejected + half) >> shift << shift;
        let rejected = if rounded < VALUES { rounded } else { rejected };
        (kept > 0).then_some(Self(rejected))
    }

    /// Keeps one of 2^`halvings` traces.
    pub(crate) fn of_halvings(halvings: u8) -> Self {
        Self(VALUES - (VALUES >> halvings.min(56)))
    }

    /// Reads 1 to 14 digits, of which zeroes at the end may be missing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let missing = DIGITS.checked_sub(u32::try_from(text.len()).ok()?)?;
        digits(text).map(|number| Self(number << (4 * missing)))
    }

    pub(super) fn from_bits(rejected: u64) -> Self {
        Self(rejected)
    }

    pub(super) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn keeps(self, randomness: Randomness) -> bool {
        randomness.0 >= self.0
    }

    /// How many spans one that was kept stands for.
    #[cfg(test)]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(crate) fn adjusted_count(self) -> f64 {
        VALUES as f64 / (VALUES - self.0) as f64
    }
}

/// The value of `th`: no zeroes at the end.
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zeroes = (self.0.trailing_zeros() / 4).min(DIGITS - 1);
        write!(f, "{:0width$x}", self.0 >> (4 * zeroes), width = (DIGITS - zeroes) as usize)
    }
}

/// The number that lower-case hexadecimal digits are.
fn digits(text: &str) -> Option<u64> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.bytes().all(is_digit) { u64::from_str_radix(text, 16).ok() } else { None }
}
