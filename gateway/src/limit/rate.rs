use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::Quota;
use serde::Deserialize;
use service_kit::http::subnet;
use uuid::Uuid;

use super::budget::{Each, Shared};
use super::known::Known;
use super::session;
use crate::problem::Problem;

/// The block `rate_limits`. A burst may come at once; then it goes on at the rate.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateLimits {
    address: OfAddress,
    login: PerMinute,
    all_logins: PerSecond,
    access_token: PerSecond,
    person: PerSecond,
    refresh_token: PerMinute,
    all_activations: PerSecond,
}

/// What may come from one address.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfAddress {
    logins: PerMinute,
    activations: PerMinute,
    strangers: PerMinute,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct PerMinute {
    per_minute: NonZeroU32,
    burst: NonZeroU32,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct PerSecond {
    per_second: NonZeroU32,
    burst: NonZeroU32,
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

/// Whose budget a token's request comes from: its session's, or its own where it names none.
#[derive(Hash)]
enum Holder<'a> {
    Session(Uuid),
    Token(&'a str),
}

/// How often something may still be asked for, in this copy of the gateway.
///
/// An address comes first: what is too much for it is not taken from anybody else's budget.
#[derive(Debug)]
pub(crate) struct Rates {
    logins_of_address: Each,
    activations_of_address: Each,
    strangers_of_address: Each,
    login: Each,
    /// Of addresses from which somebody has logged in before, and of all others.
    all_logins: [Shared; 2],
    access_token: Each,
    person: Each,
    refresh_token: Each,
    all_activations: Shared,
    familiar_addresses: Known,
    good_tokens: Known,
}

impl Rates {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self {
            logins_of_address: Each::new(limits.address.logins.into()),
            activations_of_address: Each::new(limits.address.activations.into()),
            strangers_of_address: Each::new(limits.address.strangers.into()),
            login: Each::new(limits.login.into()),
            all_logins: [(); 2].map(|()| Shared::new(limits.all_logins.into())),
            access_token: Each::new(limits.access_token.into()),
            person: Each::new(limits.person.into()),
            refresh_token: Each::new(limits.refresh_token.into()),
            all_activations: Shared::new(limits.all_activations.into()),
            familiar_addresses: Known::new(),
            good_tokens: Known::new(),
        }
    }

    /// Counts an attempt to log in, whether or not there is such a login. What is too much for the address or the
    /// login does not count for everybody, so that who guesses keeps nobody else out.
    pub(crate) fn login(&self, address: IpAddr, login: &str) -> Result<(), Problem> {
        let address = subnet(address);
        self.logins_of_address.count(address)?;
        self.login.count(login)?;
        let [familiar, others] = &self.all_logins;
        if self.familiar_addresses.has(address) { familiar.count() } else { others.count() }
    }

    /// Remembers that somebody has logged in from an address.
    pub(crate) fn logged_in(&self, address: IpAddr) {
        self.familiar_addresses.add(subnet(address));
    }

    /// Counts a request with an access token, whether or not it is any good: to find that out costs the most.
    pub(crate) fn access_token(&self, address: IpAddr, token: &str) -> Result<(), Problem> {
        if !self.good_tokens.has(token) {
            self.strangers_of_address.count(subnet(address))?;
        }
        self.access_token.count(session::of_access_token(token).map_or(Holder::Token(token), Holder::Session))
    }

    /// Counts the request for the person whose token it was, which was good.
    pub(crate) fn authenticated(&self, token: &str, person_id: &str) -> Result<(), Problem> {
        self.good_tokens.add(token);
        self.person.count(person_id)
    }

    /// Counts a refresh.
    pub(crate) fn refresh_token(&self, address: IpAddr, token: &str) -> Result<(), Problem> {
        self.strangers_of_address.count(subnet(address))?;
        self.refresh_token.count(session::of_refresh_token(token).map_or(Holder::Token(token), Holder::Session))
    }

    /// Counts an activation. One budget for all, because every code that is guessed at is another one.
    pub(crate) fn activation(&self, address: IpAddr) -> Result<(), Problem> {
        self.activations_of_address.count(subnet(address))?;
        self.all_activations.count()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// A burst of `address` from one address, of `each` for one subject, of `all` for everybody.
    fn rates(address: u32, each: u32, all: u32) -> Rates {
        let [one, address, each, all] = [1, address, each, all].map(|number| NonZeroU32::new(number).unwrap());
        let per_minute = |burst| PerMinute { per_minute: one, burst };
        let per_second = |burst| PerSecond { per_second: one, burst };
        Rates::new(RateLimits {
            address: OfAddress {
                logins: per_minute(address),
                activations: per_minute(address),
                strangers: per_minute(address),
            },
            login: per_minute(each),
            all_logins: per_second(all),
            access_token: per_second(each),
            person: per_second(all),
            refresh_token: per_minute(each),
            all_activations: per_second(all),
        })
    }

    fn address(number: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, number).into()
    }

    #[test]
    fn guesses_beyond_one_logins_budget_are_not_taken_from_everybodys() {
        let rates = rates(100, 2, 3);
        let passed = (0..10).filter(|_| rates.login(address(1), "one").is_ok()).count();
        assert_eq!(passed, 2, "as many as the login's burst has");
        // Should a name share a key with "one" by chance, the next has one of its own.
        let passed = ["two", "three", "four"].iter().filter(|login| rates.login(address(1), login).is_ok()).count();
        assert_eq!(passed, 1, "what is left of everybody's burst");
    }

    #[test]
    fn a_flood_from_one_address_keeps_no_other_out() {
        let rates = rates(4, 1, 8);
        let logins = (0..100).filter(|number: &u8| rates.login(address(1), &number.to_string()).is_ok()).count();
        let activations = (0..100).filter(|_| rates.activation(address(1)).is_ok()).count();
        assert_eq!((logins, activations), (4, 4));
        assert_eq!(rates.login(address(2), "one"), Ok(()));
        assert_eq!(rates.activation(address(2)), Ok(()));
    }

    #[test]
    fn a_flood_from_everywhere_keeps_no_familiar_address_out() {
        let rates = rates(4, 1, 8);
        rates.logged_in(address(200));
        let passed = (0..100).filter(|number| rates.login(address(*number), &number.to_string()).is_ok()).count();
        assert!((8..20).contains(&passed), "{passed}");
        assert_eq!(rates.login(address(200), "one"), Ok(()));
    }

    #[test]
    fn made_up_tokens_share_the_budget_of_their_address() {
        let rates = rates(4, 1, 100);
        let [guesses, refreshes] = [address(1), address(2)].map(|from| {
            let count =
                |ask: &dyn Fn(&str) -> bool| (0..100).filter(|number: &u8| ask(&format!("{number} of {from}"))).count();
            (
                count(&|token| rates.access_token(from, token).is_ok()),
                count(&|token| rates.refresh_token(from, token).is_ok()),
            )
        });
        assert_eq!((guesses, refreshes), ((4, 0), (4, 0)), "of one budget");
    }

    #[test]
    fn a_token_that_was_good_costs_its_address_nothing() {
        let rates = rates(1, 100, 100);
        assert_eq!(rates.access_token(address(1), "good"), Ok(()));
        assert_eq!(rates.authenticated("good", "somebody"), Ok(()));
        assert!((0..50).all(|_| rates.access_token(address(1), "good").is_ok()));
        assert!(rates.access_token(address(1), "other").is_err());
    }

    #[test]
    fn a_person_has_one_budget_in_all_sessions() {
        let rates = rates(100, 1, 3);
        let passed = (0..10).filter(|number: &u8| rates.authenticated(&number.to_string(), "somebody").is_ok()).count();
        assert_eq!(passed, 3);
    }
}
