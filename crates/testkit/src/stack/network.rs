//! The connections of a stack, each through a proxy of its own.

use std::collections::BTreeMap;
use std::net::ToSocketAddrs;

use anyhow::Context;
use url::Url;

use super::{Peer, Service};
use crate::proxy::Proxy;

/// A proxy for each service and what it opens connections to.
#[derive(Debug, Default)]
pub struct Network(BTreeMap<(Service, Peer), Proxy>);

impl Network {
    /// Puts a proxy before every connection of a service and says so in its environment.
    pub(super) async fn lead_through(
        &mut self,
        service: Service,
        environment: &mut BTreeMap<String, String>,
    ) -> anyhow::Result<()> {
        for (peer, setting) in service.connections() {
            let url = environment.get_mut(setting).with_context(|| format!("{service} has no {setting}"))?;
            let (behind, proxy) = proxied(url).await.with_context(|| format!("proxy {service} to {peer}"))?;
            *url = behind;
            self.0.insert((service, peer), proxy);
        }
        Ok(())
    }

    /// The connection of a service to something.
    ///
    /// # Errors
    /// When there is none, or no proxy before it.
    pub fn between(&self, service: Service, peer: Peer) -> anyhow::Result<&Proxy> {
        self.0.get(&(service, peer)).with_context(|| format!("no proxy between {service} and {peer}"))
    }

    /// All connections.
    pub fn all(&self) -> impl Iterator<Item = (Service, Peer)> {
        self.0.keys().copied()
    }
}

/// A proxy for the address in a URL, and the URL that leads through it.
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
