//! Whom a request comes from, where there are proxies in front.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, ensure};
use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use service_kit::http::Networks;

/// The block `proxies`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Where trusted proxies add whom they have a request from. Empty: there are no proxies.
    header: String,
    /// Their networks.
    pub(crate) trusted: Networks,
}

/// The proxies that are believed.
#[derive(Debug)]
pub(crate) struct Proxies {
    header: Option<HeaderName>,
    trusted: Networks,
}

impl Proxies {
    /// # Errors
    /// When one setting makes no sense without the other, or the header has no name.
    pub(crate) fn new(config: Config) -> anyhow::Result<Self> {
        let header =
            (!config.header.is_empty()).then(|| config.header.parse().context("proxies.header")).transpose()?;
        ensure!(header.is_some() != config.trusted.is_empty(), "proxies.header and proxies.trusted: set both or none");
        Ok(Self { header, trusted: config.trusted })
    }

    /// The client's address. The header is believed as far as trusted proxies have written it: from its end up to the
    /// first address that is no proxy's. What stands before that is the client's own word.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        let Some(header) = &self.header else { return client };
        let values: Vec<_> = headers.get_all(header).iter().collect();
        // Each by itself: what a client has sent before may be no text.
        let entries = values.iter().rev().flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
        for entry in entries.map(|entry| str::from_utf8(entry).unwrap_or_default()) {
            if !self.trusted.contains(client) {
                break;
            }
            // A proxy that does not say leaves its clients its own address.
            let Some(address) = address(entry) else { break };
            client = address;
        }
        client
    }
}

/// An entry of `X-Forwarded-For` and its like, or of `Forwarded` (RFC 7239), with a port or without.
fn address(entry: &str) -> Option<IpAddr> {
    let of_pair = |pair: &str| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then(|| value.to_owned())
    };
    let text = if entry.contains('=') { entry.split(';').find_map(of_pair)? } else { entry.trim().to_owned() };
    let text = text.trim_matches('"');
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().ok().or_else(bare).or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn proxies(header: &str, trusted: &str) -> anyhow::Result<Proxies> {
        let trusted = Networks::try_from(trusted.to_owned()).map_err(anyhow::Error::msg)?;
        Proxies::new(Config { header: header.to_owned(), trusted })
    }

    fn client(header: &str, peer: &str, values: &[&'static str]) -> String {
        let name: HeaderName = header.parse().unwrap();
        let headers = values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect();
        proxies(header, "10.0.0.0/8, ::1").unwrap().client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_trusted_proxy_says_whom_it_speaks_for() {
        for (values, expected) in [
            (&["192.0.2.7"][..], "192.0.2.7"),
            (&["192.0.2.7:4711"], "192.0.2.7"),
            (&["2001:db8::7"], "2001:db8::7"),
            (&["[2001:db8::7]:4711"], "2001:db8::7"),
            // What a client sends stands before what the proxy adds.
            (&["203.0.113.9, 192.0.2.7"], "192.0.2.7"),
            (&["203.0.113.9", "192.0.2.7"], "192.0.2.7"),
            (&["203.0.113.9, 192.0.2.7, 10.1.1.1"], "192.0.2.7"),
            (&["10.1.1.1"], "10.1.1.1"),
        ] {
            assert_eq!(client("x-forwarded-for", "10.0.0.1", values), expected, "{values:?}");
        }
    }

    #[test]
    fn the_standard_header_is_read_as_well() {
        for (value, expected) in [
            ("for=192.0.2.7;proto=https", "192.0.2.7"),
            ("for=203.0.113.9, proto=https; For=\"[2001:db8::7]:4711\"", "2001:db8::7"),
            ("for=192.0.2.7, for=unknown", "10.0.0.1"),
            ("for=192.0.2.7, for=_hidden", "10.0.0.1"),
            ("for=192.0.2.7, by=10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(client("forwarded", "10.0.0.1", &[value]), expected, "{value}");
        }
    }

    #[test]
    fn a_strangers_header_is_not_believed() {
        assert_eq!(client("x-forwarded-for", "192.0.2.7", &["203.0.113.9"]), "192.0.2.7");
        assert_eq!(client("x-forwarded-for", "10.0.0.1", &["203.0.113.9, nonsense"]), "10.0.0.1");
        let name: HeaderName = "x-forwarded-for".parse().unwrap();
        let no_text = HeaderMap::from_iter([(name, HeaderValue::from_bytes(b"\xff, 192.0.2.7").unwrap())]);
        let proxies_of_ten = proxies("x-forwarded-for", "10.0.0.0/8").unwrap();
        assert_eq!(proxies_of_ten.client("10.0.0.1".parse().unwrap(), &no_text).to_string(), "192.0.2.7");
        let none = proxies("", "").unwrap();
        let headers =
            HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), HeaderValue::from_static("192.0.2.7"))]);
        assert_eq!(none.client("10.0.0.1".parse().unwrap(), &headers).to_string(), "10.0.0.1");
    }

    #[test]
    fn one_setting_without_the_other_is_refused() {
        for (header, trusted) in [("x-forwarded-for", ""), ("", "10.0.0.0/8"), ("no name", "10.0.0.0/8")] {
            assert!(proxies(header, trusted).is_err(), "{header} {trusted}");
        }
    }
}
