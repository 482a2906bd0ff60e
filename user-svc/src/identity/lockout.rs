use std::num::NonZeroU16;
use std::time::Duration;

use serde::Deserialize;

/// When a login is locked, and for how long (NIST SP 800-63B-3, section 5.2.2).
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lockout {
    /// Consecutive wrong PINs that lock a login. The same number again locks it again.
    failures: NonZeroU16,
    /// The first lock. Each one is twice as long as the one before.
    #[serde(with = "humantime_serde")]
    first: Duration,
    /// The longest lock.
    #[serde(with = "humantime_serde")]
    longest: Duration,
    /// Consecutive wrong PINs after which no PIN is accepted until the login is freed.
    most_failures: NonZeroU16,
}

/// What follows from a wrong PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consequence {
    Nothing,
    Lock(Duration),
    Block,
}

impl Lockout {
    /// The most consecutive wrong PINs that NIST SP 800-63B-3, section 5.2.2, allows.
    const MOST: u16 = 100;

    /// # Errors
    /// When `most_failures` is above [`Self::MOST`].
    pub(crate) fn check(self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.most_failures.get() <= Self::MOST,
            "sessions.lockout.most_failures is above {}",
            Self::MOST
        );
        Ok(())
    }

    /// The consequence of `failures` consecutive wrong PINs, the current one included.
    pub(crate) fn after(self, failures: u32) -> Consequence {
        let each = u32::from(self.failures.get());
        if failures >= u32::from(self.most_failures.get()) {
            Consequence::Block
        } else if failures.is_multiple_of(each) {
            let doublings = (failures / each).saturating_sub(1);
            let factor = 1_u32.checked_shl(doublings).filter(|_| doublings < u32::BITS).unwrap_or(u32::MAX);
            Consequence::Lock(self.first.saturating_mul(factor).min(self.longest))
        } else {
            Consequence::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lockout(failures: u16, most_failures: u16) -> Lockout {
        let [failures, most_failures] = [failures, most_failures].map(|number| NonZeroU16::new(number).unwrap());
        Lockout { failures, most_failures, first: Duration::from_mins(15), longest: Duration::from_hours(24) }
    }

    /// The minutes of each lock before the login is blocked, and how many failures that takes.
    fn locks(lockout: Lockout) -> (Vec<u64>, u32) {
        let mut minutes = Vec::new();
        for failures in 1.. {
            match lockout.after(failures) {
                Consequence::Nothing => {}
                Consequence::Lock(time) => minutes.push(time.as_secs() / 60),
                Consequence::Block => return (minutes, failures),
            }
        }
        unreachable!()
    }

    #[test]
    fn each_lock_is_twice_as_long_as_the_one_before_up_to_a_day() {
        let (minutes, _) = locks(lockout(5, 100));
        assert_eq!(minutes[..9], [15, 30, 60, 120, 240, 480, 960, 1440, 1440]);
        assert!(minutes[9..].iter().all(|minutes| *minutes == 1440));
    }

    #[test]
    fn a_hundred_wrong_pins_in_a_row_are_the_end_whatever_locks_there_were() {
        assert_eq!(
            locks(lockout(5, 100)),
            (vec![15, 30, 60, 120, 240, 480, 960].into_iter().chain([1440; 12]).collect(), 100)
        );
        assert_eq!(locks(lockout(60, 100)), (vec![15], 100));
        assert_eq!(locks(lockout(200, 100)), (vec![], 100));
        assert_eq!(lockout(5, 100).after(1000), Consequence::Block);
    }

    #[test]
    fn no_setting_allows_more_than_a_hundred() {
        assert!(lockout(5, 100).check().is_ok());
        assert!(lockout(5, 101).check().is_err());
    }

    #[test]
    fn no_number_of_locks_is_too_large_to_double() {
        let day = Consequence::Lock(Duration::from_hours(24));
        for failures in [32, 33, 64, 65_534] {
            assert_eq!(lockout(1, u16::MAX).after(failures), day, "{failures}");
        }
    }
}
