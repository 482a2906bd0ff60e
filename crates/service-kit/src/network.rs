use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

/// Networks of addresses, as a setting: `10.0.0.0/8, 2001:db8::/32, 127.0.0.1`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Whether there are no networks.
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

/// The networks that a client is counted by, the narrowest first. For IPv4, it is the address. For IPv6, they are the
/// /64, in which a host may choose any address, and the /48, which one subscriber may have as a whole (RFC 6177).
pub fn networks_of(address: IpAddr) -> impl Iterator<Item = IpNet> {
    let address = address.to_canonical();
    let prefixes: &[u8] = if address.is_ipv4() { &[32] } else { &[64, 48] };
    prefixes.iter().filter_map(move |prefix| IpNet::new(address, *prefix).ok()).map(|network| network.trunc())
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
    fn a_client_is_counted_by_its_address_of_the_old_kind_or_its_networks_of_the_new() {
        let networks = |text| networks_of(address(text)).map(|network| network.to_string()).collect::<Vec<_>>();
        assert_eq!(networks("192.0.2.7"), ["192.0.2.7/32"]);
        assert_eq!(networks("::ffff:192.0.2.7"), ["192.0.2.7/32"]);
        assert_eq!(networks("2001:db8:1:2:3:4:5:6"), ["2001:db8:1:2::/64", "2001:db8:1::/48"]);
    }
}
