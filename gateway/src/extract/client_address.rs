use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::request::Parts;

use crate::problem::Problem;
use crate::router::Shared;

/// The client's IP address. It is used for rate limits only, and is neither stored nor logged.
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl FromRequestParts<Shared> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>().ok_or(Problem::INTERNAL)?;
        Ok(Self(shared.proxies.client(peer.ip(), &parts.headers)))
    }
}
