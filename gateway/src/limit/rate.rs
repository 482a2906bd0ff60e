mod settings;

use std::net::IpAddr;

use governor::Quota;
use service_kit::http::networks_of;
use uuid::Uuid;

use super::budget::{Each, EachAddress, Key, Shared};
use super::known::Known;
use super::session;
use crate::problem::Problem;
pub(crate) use settings::RateLimits;

/// The owner of the budget of a request with a token: its session, or the token itself if it names no session.
#[derive(Hash)]
enum Holder<'a> {
    Session(Uuid),
    Token(&'a str),
}

/// A budget that all clients share. Addresses from which somebody has logged in before share another one of the same
/// size, so that a flood from other addresses does not block them.
#[derive(Debug)]
struct OfEverybody {
    familiar: Shared,
    others: Shared,
}

impl OfEverybody {
    fn new(quota: Quota) -> Self {
        Self { familiar: Shared::new(quota), others: Shared::new(quota) }
    }

    fn of(&self, familiar: bool) -> &Shared {
        if familiar { &self.familiar } else { &self.others }
    }
}

/// The remaining budgets of all rate limits, in this copy of the gateway.
///
/// The budget of the address is checked first. A request that it refuses does not count for any other budget.
#[derive(Debug)]
pub(crate) struct Rates {
    logins_of_address: EachAddress,
    activations_of_address: EachAddress,
    refreshes_of_address: EachAddress,
    strangers_of_address: EachAddress,
    login: Each,
    all_logins: OfEverybody,
    access_token: Each,
    person: Each,
    refresh_token: Each,
    all_activations: OfEverybody,
    /// Addresses from which somebody has logged in lately.
    familiar_addresses: Known,
    /// Tokens that were valid, each with the budget of its person.
    good_tokens: Known,
}

impl Rates {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self {
            logins_of_address: limits.address.logins.into(),
            activations_of_address: limits.address.activations.into(),
            refreshes_of_address: limits.address.refreshes.into(),
            strangers_of_address: limits.address.strangers.into(),
            login: Each::new(limits.login.into()),
            all_logins: OfEverybody::new(limits.all_logins.into()),
            access_token: Each::new(limits.access_token.into()),
            person: Each::new(limits.person.into()),
            refresh_token: Each::new(limits.refresh_token.into()),
            all_activations: OfEverybody::new(limits.all_activations.into()),
            familiar_addresses: Known::new(),
            good_tokens: Known::new(),
        }
    }

    /// Counts an attempt to log in, whether or not the login exists. An attempt that the budget of the address or of
    /// the login refuses does not count for the budget that all share, so that an attacker who guesses PINs does not
    /// block others.
    pub(crate) fn login(&self, address: IpAddr, login: &str) -> Result<(), Problem> {
        self.logins_of_address.count(address)?;
        self.login.count(login)?;
        self.all_logins.of(self.is_familiar(address)).count()
    }

    /// Remembers that somebody has logged in from an address.
    pub(crate) fn logged_in(&self, address: IpAddr) {
        if let Some(network) = networks_of(address).next() {
            self.familiar_addresses.add(network, Key::NOBODYS);
        }
    }

    fn is_familiar(&self, address: IpAddr) -> bool {
        networks_of(address).next().is_some_and(|network| self.familiar_addresses.has(network))
    }

    /// Counts a request with an access token before the token is verified, because the verification is what costs most.
    pub(crate) fn access_token(&self, address: IpAddr, token: &str) -> Result<(), Problem> {
        match self.good_tokens.budget(token) {
            Some(person) => self.person.count_key(person)?,
            None => self.strangers_of_address.count(address)?,
        }
        self.access_token.count(session::of_access_token(token).map_or(Holder::Token(token), Holder::Session))
    }

    /// Remembers that the token is valid. Its first request counts for the person here; [`Self::access_token`] counts
    /// later ones.
    pub(crate) fn authenticated(&self, token: &str, person_id: &str) -> Result<(), Problem> {
        if self.good_tokens.has(token) {
            return Ok(());
        }
        let person = self.person.key(person_id);
        self.good_tokens.add(token, person);
        self.person.count_key(person)
    }

    /// Forgets a token that is not valid any more. From now on its requests count for the address, like those with an
    /// invented token.
    pub(crate) fn refused(&self, token: &str) {
        self.good_tokens.remove(token);
    }

    /// Counts a refresh.
    pub(crate) fn refresh_token(&self, address: IpAddr, token: &str) -> Result<(), Problem> {
        self.refreshes_of_address.count(address)?;
        self.refresh_token.count(session::of_refresh_token(token).map_or(Holder::Token(token), Holder::Session))
    }

    /// Counts an activation. There is no budget for each code, because an attacker guesses a new code each time.
    pub(crate) fn activation(&self, address: IpAddr) -> Result<(), Problem> {
        self.activations_of_address.count(address)?;
        self.all_activations.of(self.is_familiar(address)).count()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::num::NonZeroU32;

    use super::settings::{OfAddress, PerMinute, PerSecond};
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
                refreshes: per_minute(address),
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
        // If a name shares the key of "one" by chance, the next one does not.
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
        let passed = (0..100).filter(|number| rates.activation(address(*number)).is_ok()).count();
        assert!((8..20).contains(&passed), "{passed}");
        assert_eq!(rates.login(address(200), "one"), Ok(()));
        assert_eq!(rates.activation(address(200)), Ok(()));
    }

    #[test]
    fn a_flood_from_the_many_networks_of_one_subscriber_is_one_flood() {
        let rates = rates(4, 1, 100);
        let of = |subscriber, network| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, subscriber, network, 0, 0, 0, 1));
        let passed = (0..100).filter(|network| rates.activation(of(1, *network)).is_ok()).count();
        assert_eq!(passed, 16);
        assert_eq!(rates.activation(of(2, 0)), Ok(()));
    }

    #[test]
    fn made_up_tokens_share_the_budget_of_their_address() {
        let rates = rates(4, 1, 100);
        let count =
            |ask: &dyn Fn(&str) -> bool| (0..100).filter(|number: &u8| ask(&format!("made up {number}"))).count();
        assert_eq!(count(&|token| rates.access_token(address(1), token).is_ok()), 4);
        assert_eq!(count(&|token| rates.refresh_token(address(1), token).is_ok()), 4, "refreshes have their own");
    }

    #[test]
    fn a_token_that_was_good_costs_its_address_nothing_until_it_is_refused() {
        let rates = rates(1, 100, 100);
        assert_eq!(rates.access_token(address(1), "good"), Ok(()));
        assert_eq!(rates.authenticated("good", "somebody"), Ok(()));
        assert!((0..50).all(|_| rates.access_token(address(1), "good").is_ok()));
        assert!(rates.access_token(address(1), "other").is_err());
        rates.refused("good");
        assert!(rates.access_token(address(1), "good").is_err());
    }

    #[test]
    fn a_known_token_is_counted_for_its_person_before_anybody_is_asked() {
        let rates = rates(100, 100, 3);
        let passed = (0..10)
            .filter(|_| {
                rates.access_token(address(1), "good").is_ok() && rates.authenticated("good", "somebody").is_ok()
            })
            .count();
        assert_eq!(passed, 3, "each has counted once");
        assert!(rates.access_token(address(1), "good").is_err());
    }

    #[test]
    fn a_person_has_one_budget_in_all_sessions() {
        let rates = rates(100, 1, 3);
        let passed = (0..10).filter(|number: &u8| rates.authenticated(&number.to_string(), "somebody").is_ok()).count();
        assert_eq!(passed, 3);
    }
}
