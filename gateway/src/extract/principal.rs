use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use proto::domain::{Principal, Role};
use service_kit::error::Reason;

use super::ClientAddress;
use super::header::single;
use crate::problem::Problem;
use crate::router::Shared;

/// The token of an `Authorization: Bearer` header (RFC 6750, section 2.1), after its rate limit was checked. The token
/// itself is not verified yet.
pub(crate) struct AccessToken(pub(crate) String);

/// The holder of the request's access token, in any role.
pub(crate) struct Anyone(pub(crate) Principal);

/// A patient.
pub(crate) struct Patient(pub(crate) Principal);

/// A nurse.
pub(crate) struct Nurse(pub(crate) Principal);

impl FromRequestParts<Shared> for AccessToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let token = bearer(parts).ok_or(Problem::UNAUTHENTICATED)?;
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, shared).await?;
        shared.rates.access_token(address, &token)?;
        Ok(Self(token))
    }
}

impl FromRequestParts<Shared> for Anyone {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let AccessToken(token) = AccessToken::from_request_parts(parts, shared).await?;
        let answer = shared.user.authenticate(token.clone()).await.map_err(Problem::from);
        if answer.as_ref().is_err_and(|problem| *problem == Problem::because(Reason::InvalidToken)) {
            shared.rates.refused(&token);
        }
        let principal = answer?.ok_or(Problem::INTERNAL)?;
        shared.rates.authenticated(&token, &principal.person_id)?;
        Ok(Self(principal))
    }
}

impl FromRequestParts<Shared> for Patient {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        with_role(parts, shared, Role::Patient).await.map(Self)
    }
}

impl FromRequestParts<Shared> for Nurse {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        with_role(parts, shared, Role::Nurse).await.map(Self)
    }
}

async fn with_role(parts: &mut Parts, shared: &Shared, role: Role) -> Result<Principal, Problem> {
    let Anyone(principal) = Anyone::from_request_parts(parts, shared).await?;
    if principal.role() == role { Ok(principal) } else { Err(Problem::because(Reason::WrongRole)) }
}

fn bearer(parts: &Parts) -> Option<String> {
    let (scheme, token) = single(&parts.headers, &AUTHORIZATION)?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}
