use axum::extract::{FromRef, FromRequestParts};
use http::header::AUTHORIZATION;
use http::request::Parts;
use proto::domain::{Principal, Role};
use service_kit::error::Reason;

use super::ClientAddress;
use crate::extract::single;
use crate::problem::Problem;
use crate::shared::Shared;

/// The token of an `Authorization: Bearer` header (RFC 6750, section 2.1), after its rate limit was checked. The token
/// itself is not verified yet.
pub(crate) struct AccessToken(pub(crate) String);

/// The holder of the request's access token, in any role.
pub(crate) struct Anyone(pub(crate) Principal);

/// A patient.
pub(crate) struct Patient(pub(crate) Principal);

/// A nurse.
pub(crate) struct Nurse(pub(crate) Principal);

impl AccessToken {
    fn of(parts: &Parts, shared: &Shared) -> Result<Self, Problem> {
        let token = bearer(parts).ok_or(Problem::UNAUTHENTICATED)?;
        let ClientAddress(address) = ClientAddress::of(parts, shared)?;
        shared.rates.access_token(address, &token)?;
        Ok(Self(token))
    }
}

impl Anyone {
    pub(crate) async fn of(parts: &Parts, shared: &Shared) -> Result<Self, Problem> {
        let AccessToken(token) = AccessToken::of(parts, shared)?;
        let answer = shared.user.authenticate(token.clone()).await.map_err(Problem::from);
        if answer.as_ref().is_err_and(|problem| *problem == Problem::because(Reason::InvalidToken)) {
            shared.rates.refused(&token);
        }
        let principal = answer?.ok_or(Problem::INTERNAL)?;
        shared.rates.authenticated(&token, &principal.person_id)?;
        Ok(Self(principal))
    }

    fn with_role(self, role: Role) -> Result<Principal, Problem> {
        let Self(principal) = self;
        if principal.role() == role { Ok(principal) } else { Err(Problem::because(Reason::WrongRole)) }
    }
}

impl<S: Sync> FromRequestParts<S> for AccessToken
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Self::of(parts, &Shared::from_ref(state))
    }
}

impl<S: Sync> FromRequestParts<S> for Anyone
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Self::of(parts, &Shared::from_ref(state)).await
    }
}

impl<S: Sync> FromRequestParts<S> for Patient
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Anyone::of(parts, &Shared::from_ref(state)).await?.with_role(Role::Patient).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Nurse
where
    Shared: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Anyone::of(parts, &Shared::from_ref(state)).await?.with_role(Role::Nurse).map(Self)
    }
}

fn bearer(parts: &Parts) -> Option<String> {
    let (scheme, token) = single(&parts.headers, &AUTHORIZATION)?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}
