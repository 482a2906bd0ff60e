//! A signed header with which a support person has the trace of one request kept.

use std::num::NonZeroU32;
use std::time::{SystemTime, UNIX_EPOCH};

use ::http::{HeaderMap, HeaderName};
use governor::{DefaultDirectRateLimiter, Quota};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

const TRACE_KEEP: HeaderName = HeaderName::from_static("trace-keep");

/// The longest token that is checked, in bytes.
const LONGEST: usize = 512;

/// How far in the future a token may expire, in seconds, so that a leaked token is not valid for long.
const LIFETIME: u64 = 24 * 60 * 60;

/// The shortest secret, in bytes (RFC 7518, section 3.2: as long as the hash).
const SHORTEST_SECRET: usize = 32;

/// Keeps the trace of a request, whatever the sampler decides, if its header `trace-keep` is a JWT that is signed with
/// HS256 and this secret and whose `exp` is within a day.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepConfig {
    /// At least 32 bytes.
    pub secret: String,
    /// The most traces that are kept in a minute; further headers are ignored.
    pub per_minute: NonZeroU32,
}

impl std::fmt::Debug for KeepConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeepConfig").field("per_minute", &self.per_minute).finish_non_exhaustive()
    }
}

/// Marks a context whose trace is to be kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept;

/// Checks the header.
pub(crate) struct Keep {
    key: DecodingKey,
    validation: Validation,
    rate: DefaultDirectRateLimiter,
}

#[derive(Deserialize)]
struct Claims {
    exp: u64,
}

impl Keep {
    /// `None` when the secret is too short.
    pub(crate) fn new(config: &KeepConfig) -> Option<Self> {
        if config.secret.len() < SHORTEST_SECRET {
            return None;
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        Some(Self {
            key: DecodingKey::from_secret(config.secret.as_bytes()),
            validation,
            rate: DefaultDirectRateLimiter::direct(Quota::per_minute(config.per_minute)),
        })
    }

    /// Whether a request's trace is to be kept.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        super::single(headers, &TRACE_KEEP).is_some_and(|token| self.is_valid(token)) && self.rate.check().is_ok()
    }

    fn is_valid(&self, token: &[u8]) -> bool {
        let latest = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() + LIFETIME;
        token.len() <= LONGEST
            && decode::<Claims>(token, &self.key, &self.validation).is_ok_and(|token| token.claims.exp <= latest)
    }
}
