//! Limited resources, in all and for one client: connections, and memory for requests.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use telemetry::Counter;

use crate::network::{Networks, networks_of};

/// Connections that were closed because of a limit, by limit.
pub(crate) static REFUSED: Counter = Counter::new("epro.connection.refusals", "{connection}");

/// A whole IPv6 subscriber has this many times the limit of an address, although it has 65,536 networks that count as
/// one.
const OF_SUBSCRIBER: usize = 4;

/// Counts what is taken. It has entries only for clients that have taken something.
#[derive(Debug)]
pub(crate) struct Pool {
    most: usize,
    most_of_address: usize,
    /// Many clients are behind each of these addresses, so they have no limit of their own.
    proxies: Networks,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_network: HashMap<IpNet, usize>,
}

/// The limit that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    All,
    Address,
}

impl Pool {
    pub(crate) fn new(most: usize, most_of_address: usize, proxies: Networks) -> Arc<Self> {
        Arc::new(Self { most, most_of_address, proxies, taken: Mutex::default() })
    }

    /// A client's share. It is empty at first.
    pub(crate) fn share(self: &Arc<Self>, peer: IpAddr) -> Share {
        let networks = if self.proxies.contains(peer) { vec![] } else { networks_of(peer).collect() };
        Share { pool: Arc::clone(self), networks, amount: 0 }
    }
}

/// What one connection has taken. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    pool: Arc<Pool>,
    /// The networks that the client is counted by, the narrowest first.
    networks: Vec<IpNet>,
    amount: usize,
}

impl Share {
    /// Takes as much as is needed to have `amount` in all.
    ///
    /// # Errors
    /// When a limit is reached; the share stays as it was then.
    pub(crate) fn grow_to(&mut self, amount: usize) -> Result<(), Full> {
        let more = amount.saturating_sub(self.amount);
        if more == 0 {
            return Ok(());
        }
        let mut taken = self.pool.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all + more > self.pool.most {
            return Err(Full::All);
        }
        let mut most = self.pool.most_of_address;
        for network in &self.networks {
            if taken.by_network.get(network).copied().unwrap_or_default() + more > most {
                return Err(Full::Address);
            }
            most = most.saturating_mul(OF_SUBSCRIBER);
        }
        taken.all += more;
        for network in &self.networks {
            *taken.by_network.entry(*network).or_default() += more;
        }
        self.amount = amount;
        Ok(())
    }

    /// Gives everything back.
    pub(crate) fn clear(&mut self) {
        if self.amount == 0 {
            return;
        }
        let mut taken = self.pool.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= self.amount;
        for network in &self.networks {
            if let Some(amount) = taken.by_network.get_mut(network) {
                *amount -= self.amount;
                if *amount == 0 {
                    taken.by_network.remove(network);
                }
            }
        }
        self.amount = 0;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(most: usize, most_of_address: usize) -> Arc<Pool> {
        Pool::new(most, most_of_address, Networks::try_from("10.0.0.0/8".to_owned()).unwrap())
    }

    fn take(pool: &Arc<Pool>, peer: &str, amount: usize) -> Result<Share, Full> {
        let mut share = pool.share(peer.parse().unwrap());
        share.grow_to(amount).map(|()| share)
    }

    fn is_untouched(pool: &Pool) -> bool {
        let taken = pool.taken.lock().unwrap();
        taken.all == 0 && taken.by_network.is_empty()
    }

    #[test]
    fn one_address_has_its_share_and_others_have_theirs() {
        let pool = pool(4, 2);
        let held = [take(&pool, "2001:db8::1", 1).unwrap(), take(&pool, "2001:db8::2", 1).unwrap()];
        assert_eq!(take(&pool, "2001:db8::3", 1).unwrap_err(), Full::Address);
        let other = take(&pool, "192.0.2.1", 2).unwrap();
        drop(held);
        take(&pool, "2001:db8::3", 1).unwrap();
        drop(other);
        assert!(is_untouched(&pool), "nothing is kept of who has gone");
    }

    #[test]
    fn the_many_networks_of_one_subscriber_have_a_limit_together() {
        let pool = pool(100, 2);
        let networks = (0..20).map(|network| take(&pool, &format!("2001:db8:1:{network:x}::1"), 1));
        let held: Vec<_> = networks.flatten().collect();
        assert_eq!(held.len(), 2 * OF_SUBSCRIBER);
        take(&pool, "2001:db8:2::1", 1).unwrap();
    }

    #[test]
    fn all_together_have_a_limit_and_a_proxy_has_no_other() {
        let pool = pool(3, 1);
        let held = [(); 3].map(|()| take(&pool, "10.0.0.1", 1).unwrap());
        assert_eq!(take(&pool, "10.0.0.1", 1).unwrap_err(), Full::All);
        assert_eq!(take(&pool, "192.0.2.1", 1).unwrap_err(), Full::All);
        drop(held);
        assert!(is_untouched(&pool));
    }

    #[test]
    fn a_share_grows_as_long_as_there_is_room_and_can_be_given_back() {
        let pool = pool(10, 6);
        let mut share = take(&pool, "192.0.2.1", 4).unwrap();
        share.grow_to(3).unwrap();
        share.grow_to(6).unwrap();
        assert_eq!(share.grow_to(7), Err(Full::Address));
        assert_eq!(take(&pool, "192.0.2.2", 5).unwrap_err(), Full::All);
        share.clear();
        assert!(is_untouched(&pool));
        share.grow_to(6).unwrap();
    }
}
