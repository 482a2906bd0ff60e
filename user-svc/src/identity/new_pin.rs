use std::fmt;

use service_kit::error::Reason;

use crate::error::UserError;

/// A PIN that is allowed: 6 to 12 digits that are not easy to guess.
pub(crate) struct NewPin(String);

impl NewPin {
    pub(crate) fn parse(pin: String) -> Result<Self, UserError> {
        let digits = pin.as_bytes();
        let well_formed = (6..=12).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        if !well_formed || is_sequence(digits) || is_repetition(digits) || is_doubled(digits) {
            return Err(UserError::Refused(Reason::PinTooSimple));
        }
        Ok(Self(pin))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Whether the PIN consists of runs of at least three digits that are equal, ascending or descending: 123456, 654321,
/// 123789, 456123, 111222.
fn is_sequence(digits: &[u8]) -> bool {
    let mut rest = digits;
    while !rest.is_empty() {
        let length = [0, 1, 9].map(|step| run(rest, step)).into_iter().max().unwrap_or_default();
        if length < 3 {
            return false;
        }
        rest = &rest[length..];
    }
    true
}

/// The length of the first run, in which each digit is `step` more than the one before. 0 follows 9, as on a keypad.
fn run(digits: &[u8], step: u8) -> usize {
    let follows = |pair: &&[u8]| (pair[0] % 10 + step) % 10 == pair[1] % 10;
    1 + digits.windows(2).take_while(follows).count()
}

/// Whether the PIN repeats a short group of digits: 121212, 123123, 1212121.
fn is_repetition(digits: &[u8]) -> bool {
    (1..=digits.len() / 2).any(|period| digits.iter().zip(&digits[period..]).all(|(digit, later)| digit == later))
}

/// Whether every digit comes at least twice in a row, except perhaps the first and the last: 112233, 100000, 1222334.
fn is_doubled(digits: &[u8]) -> bool {
    let groups: Vec<_> = digits.chunk_by(|digit, next| digit == next).collect();
    let inner = groups.get(1..groups.len().saturating_sub(1)).unwrap_or_default();
    inner.iter().all(|group| group.len() > 1)
}

impl fmt::Debug for NewPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewPin").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_that_is_easily_guessed_or_no_pin_is_refused() {
        for pin in [
            "",
            "24680",
            "2468013579246",
            "000000",
            "999999999999",
            "123456",
            "654321",
            "890123",
            "210987",
            "123321",
            "789456",
            "111222",
            "121212",
            "1212121",
            "123123",
            "112233",
            "114477",
            "1122334",
            "1223344",
            "100000",
            "000001",
            "112211",
            "246246246246",
            "24680a",
            "24680\0",
            "-246801",
            " 246801",
            "２４６８０１",
            "٢٤٦٨٠١",
        ] {
            assert!(matches!(NewPin::parse(pin.to_owned()), Err(UserError::Refused(Reason::PinTooSimple))), "{pin:?}");
        }
    }

    #[test]
    fn other_pins_of_six_to_twelve_digits_are_taken() {
        for pin in ["246801", "123457", "112234", "102030", "121213", "159753", "123124", "246801357924"] {
            assert!(NewPin::parse(pin.to_owned()).is_ok(), "{pin}");
        }
    }
}
