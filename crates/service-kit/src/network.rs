use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use serde::Deserialize;

/// Networks of addresses, as a setting: `10.0.0.0/8, 2001:db8::/32, 127.0.0.1`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the address is in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl TryFrom<String> for Networks {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let network = |part: &str| {
            let one = || part.parse::<IpAddr>().map(IpNet::from);
            part.parse().or_else(|_| one()).map_err(|_| format!("{part:?} is no network, such as 10.0.0.0/8"))
        };
        parts.map(network).collect::<Result<_, _>>().map(Self)
    }
}

/// What one client has of the address space: an IPv4 address, or the /64 in which an IPv6 host picks its addresses
/// as it likes.
pub fn subnet(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_in_a_network_however_it_is_written() {
        let networks = Networks::try_from("10.0.0.0/8, 2001:db8::/32,, 127.0.0.1".to_owned()).unwrap();
        for inside in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8:1::1", "127.0.0.1"] {
            assert!(networks.contains(address(inside)), "{inside}");
        }
        for outside in ["11.0.0.1", "::ffff:11.0.0.1", "2001:db9::1", "127.0.0.2", "::1"] {
            assert!(!networks.contains(address(outside)), "{outside}");
        }
    }

    #[test]
    fn no_network_is_an_empty_setting_and_what_is_none_is_refused() {
        for none in ["", " , "] {
            assert!(Networks::try_from(none.to_owned()).unwrap().is_empty(), "{none:?}");
        }
        for wrong in ["proxy", "10.0.0.0/33", "10.0.0/8", "10.0.0.1;10.0.0.2"] {
            assert!(Networks::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_client_has_one_address_of_the_old_kind_or_a_subnet_of_the_new() {
        assert_eq!(subnet(address("192.0.2.7")), address("192.0.2.7"));
        assert_eq!(subnet(address("::ffff:192.0.2.7")), address("192.0.2.7"));
        assert_eq!(subnet(address("2001:db8:1:2:3:4:5:6")), address("2001:db8:1:2::"));
    }
}
