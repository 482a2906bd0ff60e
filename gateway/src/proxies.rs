//! The address of the client when there are proxies in front of the gateway.

use std::net::{IpAddr, SocketAddr};
use std::sync::Once;

use anyhow::{Context, ensure};
use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use service_kit::http::Networks;

/// The block `proxies`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The header to which trusted proxies add the address of their client. Empty: there are no proxies.
    header: String,
    /// The networks of the proxies.
    pub(crate) trusted: Networks,
}

/// The headers in which proxies usually pass on the address of their client.
const USUAL: [HeaderName; 2] = [FORWARDED, HeaderName::from_static("x-forwarded-for")];

/// The proxies that are trusted to name their clients.
#[derive(Debug)]
pub(crate) struct Proxies {
    header: Option<HeaderName>,
    trusted: Networks,
    /// Whether the warning about an unknown proxy has been logged.
    warned: Once,
}

impl Proxies {
    /// # Errors
    /// When only one of the settings is set, or the name of the header is not valid.
    pub(crate) fn new(config: Config) -> anyhow::Result<Self> {
        let header =
            (!config.header.is_empty()).then(|| config.header.parse().context("proxies.header")).transpose()?;
        ensure!(header.is_some() != config.trusted.is_empty(), "proxies.header and proxies.trusted: set both or none");
        Ok(Self { header, trusted: config.trusted, warned: Once::new() })
    }

    /// The client's address. Every proxy appends to the header, so it is read from its end, up to the first address
    /// that is not a trusted proxy's. The client may have written anything before that address.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        let Some(header) = &self.header else {
            self.warn_of(headers);
            return client;
        };
        let values: Vec<_> = headers.get_all(header).iter().collect();
        // Each value is read by itself, because an earlier one from the client may not be valid text.
        for value in values.iter().rev() {
            let addresses = if *header == FORWARDED { forwarded(value.as_bytes()) } else { list(value.as_bytes()) };
            for address in addresses.into_iter().rev() {
                if !self.trusted.contains(client) {
                    return client;
                }
                // If a proxy does not name its client, the address of the proxy is used.
                let Some(address) = address else { return client };
                client = address;
            }
        }
        client
    }

    /// Warns of a proxy that is not configured: all clients behind it share the rate limits of its address.
    fn warn_of(&self, headers: &HeaderMap) {
        if USUAL.iter().any(|header| headers.contains_key(header)) {
            self.warned.call_once(|| {
                telemetry::warn!(
                    "a request has a proxy's header, but no proxy is configured: if there is one, set proxies.header \
                     and proxies.trusted, else all its clients share the limits of one address"
                );
            });
        }
    }
}

/// The entries of `X-Forwarded-For` and similar headers.
fn list(value: &[u8]) -> Vec<Option<IpAddr>> {
    value.split(|byte| *byte == b',').map(|entry| address(str::from_utf8(entry).ok()?.trim())).collect()
}

/// The entries of `Forwarded` (RFC 7239). A value with an unclosed quote counts as one entry without an address: a
/// quote that the client opened must not change how the entries of proxies are read.
fn forwarded(value: &[u8]) -> Vec<Option<IpAddr>> {
    let parts = str::from_utf8(value).ok().and_then(|value| split(value, ','));
    parts.map_or_else(|| vec![None], |entries| entries.into_iter().map(of_element).collect())
}

/// The address in the `for` of an entry; none unless there is exactly one `for`.
fn of_element(element: &str) -> Option<IpAddr> {
    let pairs = split(element, ';')?.into_iter().filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("for")).map(|(_, value)| value);
    let value = values.next().filter(|_| values.next().is_none())?;
    address(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// Splits a text at separators outside of quoted strings (RFC 9110, section 5.6.4). Returns none if a quote is not
/// closed.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut quoted, mut escaped) = (false, false);
    let is_separator = |character: char| {
        let backslash = quoted && character == '\\' && !escaped;
        if character == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = backslash;
        character == separator && !quoted
    };
    let parts = text.split(is_separator).collect();
    (!quoted).then_some(parts)
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
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
            ("by=\"a;for=203.0.113.9,b\";for=192.0.2.7", "192.0.2.7"),
            ("by=\"a\\\", for=203.0.113.9\", for=192.0.2.7", "192.0.2.7"),
            ("for=203.0.113.9;for=192.0.2.7", "10.0.0.1"),
        ] {
            assert_eq!(client("forwarded", "10.0.0.1", &[value]), expected, "{value}");
        }
    }

    #[test]
    fn a_quote_that_a_client_has_begun_hides_nothing_and_makes_nothing_up() {
        for begun in ["for=\"", "for=\"203.0.113.9", "for=\"\\", "for=\"a\\\""] {
            for appended in ["for=192.0.2.7", "for=\"192.0.2.7\"", "for=\"[2001:db8::7]:1\", for=10.0.0.2"] {
                let value: &'static str = format!("{begun}, {appended}").leak();
                assert_eq!(client("forwarded", "10.0.0.1", &[value]), "10.0.0.1", "{value}");
            }
        }
        // A header line that a proxy adds is read by itself.
        assert_eq!(client("forwarded", "10.0.0.1", &["for=\"203.0.113.9", "for=192.0.2.7"]), "192.0.2.7");
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
