use std::fmt;

use crate::error::UserError;

/// A PIN that may be chosen: 6 to 12 digits that are not all the same and do not count up or down.
pub(crate) struct NewPin(String);

impl NewPin {
    pub(crate) fn parse(pin: String) -> Result<Self, UserError> {
        let digits = pin.as_bytes();
        let well_formed = (6..=12).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        // 9 is followed by 0, as on a keypad.
        let is_run = |step: u8| digits.windows(2).all(|pair| (pair[0] % 10 + step) % 10 == pair[1] % 10);
        if !well_formed || [0, 1, 9].into_iter().any(is_run) {
            return Err(UserError::PinTooSimple);
        }
        Ok(Self(pin))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
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
            "24680a",
            "24680\0",
            "-246801",
            " 246801",
            "２４６８０１",
            "٢٤٦٨٠١",
        ] {
            assert!(matches!(NewPin::parse(pin.to_owned()), Err(UserError::PinTooSimple)), "{pin:?}");
        }
    }

    #[test]
    fn other_pins_of_six_to_twelve_digits_are_taken() {
        for pin in ["246801", "123457", "112233", "100000", "121212", "246801357924"] {
            assert!(NewPin::parse(pin.to_owned()).is_ok(), "{pin}");
        }
    }
}
