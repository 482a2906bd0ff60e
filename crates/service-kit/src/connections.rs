//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::network::{Networks, subnet};

/// Counts what is open. It holds as many entries as there are connections at most.
#[derive(Debug)]
pub(crate) struct Connections {
    most: usize,
    most_of_address: usize,
    /// Behind these there are many clients each.
    proxies: Networks,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    of_address: HashMap<IpAddr, usize>,
}

/// Why there is no room for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    All,
    Address,
}

impl Connections {
    pub(crate) fn new(most: u16, most_of_address: u16, proxies: Networks) -> Self {
        Self { most: most.into(), most_of_address: most_of_address.into(), proxies, open: Mutex::default() }
    }

    /// Room for one more, until it is dropped.
    pub(crate) fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<Slot, Full> {
        let address = (!self.proxies.contains(peer)).then(|| subnet(peer));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.most {
            return Err(Full::All);
        }
        if let Some(address) = address {
            let number = open.of_address.entry(address).or_default();
            // One that has none open is admitted always, so that no entry stays for it.
            if *number >= self.most_of_address.max(1) {
                return Err(Full::Address);
            }
            *number += 1;
        }
        open.all += 1;
        Ok(Slot { connections: Arc::clone(self), address })
    }
}

/// A connection's place.
#[derive(Debug)]
pub(crate) struct Slot {
    connections: Arc<Connections>,
    address: Option<IpAddr>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        if let Some(address) = self.address
            && let Some(number) = open.of_address.get_mut(&address)
        {
            *number -= 1;
            if *number == 0 {
                open.of_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(most: u16, most_of_address: u16) -> Arc<Connections> {
        let proxies = Networks::try_from("10.0.0.0/8".to_owned()).unwrap();
        Arc::new(Connections::new(most, most_of_address, proxies))
    }

    fn admit(connections: &Arc<Connections>, peer: &str) -> Result<Slot, Full> {
        connections.admit(peer.parse().unwrap())
    }

    #[test]
    fn one_address_has_its_share_and_others_have_theirs() {
        let connections = connections(4, 2);
        let held = [admit(&connections, "2001:db8::1").unwrap(), admit(&connections, "2001:db8::2").unwrap()];
        assert_eq!(admit(&connections, "2001:db8::3").unwrap_err(), Full::Address);
        let other = admit(&connections, "192.0.2.1").unwrap();
        drop(held);
        admit(&connections, "2001:db8::3").unwrap();
        drop(other);
        assert!(connections.open.lock().unwrap().of_address.is_empty(), "nothing is kept of who has gone");
    }

    #[test]
    fn all_together_have_a_limit_and_a_proxy_has_no_other() {
        let connections = connections(3, 1);
        let _held = [(); 3].map(|()| admit(&connections, "10.0.0.1").unwrap());
        assert_eq!(admit(&connections, "10.0.0.1").unwrap_err(), Full::All);
        assert_eq!(admit(&connections, "192.0.2.1").unwrap_err(), Full::All);
        assert!(connections.open.lock().unwrap().of_address.is_empty());
    }
}
