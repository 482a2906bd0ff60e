use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use http::request::Parts;

use crate::problem::Problem;
use crate::shared::Shared;

/// The client's IP address. It is used for rate limits only, and is neither stored nor logged.
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl ClientAddress {
    pub(crate) fn of(parts: &Parts, shared: &Shared) -> Result<Self, Problem> {
        let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>().ok_or(Problem::INTERNAL)?;
        Ok(Self(shared.proxies.client(peer.ip(), &parts.headers)))
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Self::of(parts, &Shared::from_ref(state))
    }
}
