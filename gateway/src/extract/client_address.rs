use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::request::Parts;

use crate::problem::Problem;
use crate::router::Shared;

/// Whom the request comes from: to count by, and for nothing else. It is written down nowhere.
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl FromRequestParts<Shared> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>().ok_or(Problem::INTERNAL)?;
        Ok(Self(shared.proxies.client(peer.ip(), &parts.headers)))
    }
}
