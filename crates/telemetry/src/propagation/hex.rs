//! Lower-case hexadecimal digits: the formats of this module have no others.

/// The number that 1 to 32 digits are.
pub(super) fn number(digits: &[u8]) -> Option<u128> {
    if !(1..=32).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

/// The number that exactly `length` digits are.
pub(super) fn exactly(length: usize, digits: &[u8]) -> Option<u128> {
    if digits.len() == length { number(digits) } else { None }
}
