use std::time::Duration;

use anyhow::ensure;
use humantime_serde::re::humantime::format_duration;

use crate::clients::longest_record;

/// Checks that a lease lasts longer than a delivery can take. If it expired before, another worker would send the same
/// message again.
///
/// # Errors
/// When the lease is too short. The message says how long each step may take, and their sum.
pub(crate) fn check(lease: Duration, data_svc: Duration, user_svc: Duration, send: Duration) -> anyhow::Result<()> {
    let record = longest_record(data_svc);
    let sum = [data_svc, user_svc, send, record].into_iter().fold(Duration::ZERO, Duration::saturating_add);
    ensure!(
        lease > sum,
        "delivery.lease is {}, but a delivery may last {}: its claim {} (data_svc.timeout), its contacts {} \
         (user_svc.timeout), its slowest message {} (sms.timeout twice and sms.answer_timeout, or smtp.timeout twice, \
         smtp.answer_timeout and a second), its record {} (data_svc.timeout four times, with pauses)",
        format_duration(lease),
        format_duration(sum),
        format_duration(data_svc),
        format_duration(user_svc),
        format_duration(send),
        format_duration(record),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_lease_is_longer_than_all_the_steps_of_a_delivery_together() {
        // 8 + 4 + 71 + 4 * 8 + 5.2
        let sum = Duration::from_millis(120_200);
        assert!(check(sum, SECONDS(8), SECONDS(4), SECONDS(71)).is_err());
        assert!(check(sum + Duration::from_millis(1), SECONDS(8), SECONDS(4), SECONDS(71)).is_ok());
    }

    #[test]
    fn a_lease_that_is_too_short_is_told_the_sum_and_its_parts() {
        let error = check(SECONDS(60), SECONDS(8), SECONDS(4), SECONDS(71)).unwrap_err().to_string();
        let expected = "delivery.lease is 1m, but a delivery may last 2m 200ms: its claim 8s (data_svc.timeout), \
                        its contacts 4s (user_svc.timeout), its slowest message 1m 11s";
        assert!(error.starts_with(expected), "{error}");
    }
}
