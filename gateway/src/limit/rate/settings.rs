//! The block `rate_limits`.

use std::num::NonZeroU32;

use governor::Quota;
use serde::Deserialize;

use crate::limit::budget::EachAddress;

/// The block `rate_limits`. A burst may come at once; then it goes on at the rate.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateLimits {
    pub(super) address: OfAddress,
    pub(super) login: PerMinute,
    pub(super) all_logins: PerSecond,
    pub(super) access_token: PerSecond,
    pub(super) person: PerSecond,
    pub(super) refresh_token: PerMinute,
    pub(super) all_activations: PerSecond,
}

/// What may come from one address.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfAddress {
    pub(super) logins: PerMinute,
    pub(super) activations: PerMinute,
    pub(super) refreshes: PerMinute,
    pub(super) strangers: PerMinute,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PerMinute {
    pub(super) per_minute: NonZeroU32,
    pub(super) burst: NonZeroU32,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PerSecond {
    pub(super) per_second: NonZeroU32,
    pub(super) burst: NonZeroU32,
}

impl PerMinute {
    fn times(self, factor: NonZeroU32) -> Self {
        let times = |number: NonZeroU32| number.saturating_mul(factor);
        Self { per_minute: times(self.per_minute), burst: times(self.burst) }
    }
}

/// How many times the budget of an address the whole /48 of an IPv6 subscriber has.
const OF_SUBSCRIBER: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

impl From<PerMinute> for EachAddress {
    fn from(limit: PerMinute) -> Self {
        Self::new(limit.into(), limit.times(OF_SUBSCRIBER).into())
    }
}

impl From<PerMinute> for Quota {
    fn from(limit: PerMinute) -> Self {
        Self::per_minute(limit.per_minute).allow_burst(limit.burst)
    }
}

impl From<PerSecond> for Quota {
    fn from(limit: PerSecond) -> Self {
        Self::per_second(limit.per_second).allow_burst(limit.burst)
    }
}
