//! The proxies in front of a service's connections.

use std::collections::BTreeMap;
use std::net::ToSocketAddrs;

use anyhow::Context;
use url::Url;

use super::{Peer, Service};
use crate::proxy::Proxy;

/// A proxy for each connection of a service; none unless the builder asked for them.
#[derive(Debug, Default)]
pub(super) struct Network {
    proxies: BTreeMap<Peer, Proxy>,
    settings: BTreeMap<String, String>,
}

impl Network {
    /// A proxy for each address in a service's environment.
    pub(super) async fn before(service: Service, environment: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let mut network = Self::default();
        for (peer, setting) in service.connections() {
            let url = environment.get(setting).with_context(|| format!("{service} has no {setting}"))?;
            let (behind, proxy) = proxied(url).await.with_context(|| format!("proxy {service} to {peer}"))?;
            network.settings.insert(setting.to_owned(), behind);
            network.proxies.insert(peer, proxy);
        }
        Ok(network)
    }

    /// The settings with the addresses of the proxies.
    pub(super) fn settings(&self) -> &BTreeMap<String, String> {
        &self.settings
    }

    pub(super) fn to(&self, peer: Peer) -> anyhow::Result<&Proxy> {
        self.proxies.get(&peer).with_context(|| format!("there is no proxy before {peer}"))
    }
}

/// A proxy for the address in a URL, and a URL that goes through it.
async fn proxied(url: &str) -> anyhow::Result<(String, Proxy)> {
    let mut url: Url = url.parse().context("parse a URL")?;
    let (host, port) = (url.host_str().context("a host")?, url.port().context("a port")?);
    let target = (host, port).to_socket_addrs().context("resolve")?.next().context("an address")?;
    let proxy = Proxy::start(target).await?;
    let address = proxy.address();
    url.set_ip_host(address.ip()).or_else(|()| url.set_host(Some(&address.ip().to_string()))).ok().context("a host")?;
    url.set_port(Some(address.port())).ok().context("a port")?;
    Ok((url.into(), proxy))
}
