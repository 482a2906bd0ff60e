use axum::extract::FromRequestParts;
use http::request::Parts;
use proto::data as pb;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::query::parameter;
use crate::problem::Problem;

/// The state of an undelivered notification. `dead`: it was refused for good, or not delivered in time. `cancelled`:
/// the nurse had left or had no address. `uncertain`: it may have been delivered, but the provider did not confirm it.
/// It may be tried again now and then.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NotificationState {
    Dead,
    Uncertain,
    Cancelled,
}

impl NotificationState {
    pub(crate) const ALL: [Self; 3] = [Self::Dead, Self::Uncertain, Self::Cancelled];
}

impl From<NotificationState> for pb::NotificationState {
    fn from(state: NotificationState) -> Self {
        match state {
            NotificationState::Dead => Self::Dead,
            NotificationState::Uncertain => Self::Uncertain,
            NotificationState::Cancelled => Self::Cancelled,
        }
    }
}

/// Selects undelivered notifications by their state.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, names("state"))]
pub(crate) struct Undelivered(
    /// The state of the notifications.
    #[param(inline, required = false, default = "dead")]
    pub(crate) NotificationState,
);

impl<S: Sync> FromRequestParts<S> for Undelivered {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parameter(parts, "state")?.as_deref() {
            None | Some("dead") => Ok(Self(NotificationState::Dead)),
            Some("uncertain") => Ok(Self(NotificationState::Uncertain)),
            Some("cancelled") => Ok(Self(NotificationState::Cancelled)),
            Some(_) => Err(Problem::MALFORMED_PARAMETER),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[tokio::test]
    async fn the_dead_are_listed_unless_others_are_asked_for() {
        let state = async |query: &str| {
            let uri = format!("/v1/sites/1/notifications{query}");
            let mut parts = Request::builder().uri(uri).body(()).unwrap().into_parts().0;
            let found = Undelivered::from_request_parts(&mut parts, &()).await;
            found.map(|Undelivered(state)| pb::NotificationState::from(state))
        };
        assert_eq!(state("").await, Ok(pb::NotificationState::Dead));
        assert_eq!(state("?state=dead").await, Ok(pb::NotificationState::Dead));
        assert_eq!(state("?state=uncertain").await, Ok(pb::NotificationState::Uncertain));
        assert_eq!(state("?state=cancelled").await, Ok(pb::NotificationState::Cancelled));
        for query in ["?state=", "?state=pending", "?state=Dead", "?state=dead&state=dead"] {
            assert_eq!(state(query).await, Err(Problem::MALFORMED_PARAMETER), "{query}");
        }
    }
}
