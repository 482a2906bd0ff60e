//! HL7 FHIR R4 (4.0.1) at `/fhir`: the same reports under the same rules, as FHIR's questionnaires and their responses.
//!
//! One file per interaction. `mapping` converts between reports and the types in `resource`. epro-svc checks the
//! reports, as it does for `/v1`. `docs/fhir.md` describes all this for clients.

mod accept;
mod base;
mod body;
mod create_response;
mod get_metadata;
mod get_questionnaire;
mod get_response;
mod key;
mod mapping;
mod outcome;
mod prefer;
mod resource;
mod search;
mod search_responses;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::get;

use crate::shared::Shared;

pub(crate) use accept::takes_fhir;
pub(crate) use base::Base;
pub(crate) use outcome::OperationOutcome;

/// The media type of FHIR's JSON.
pub(crate) const MEDIA_TYPE: &str = "application/fhir+json";

/// The path under which FHIR is served.
const PREFIX: &str = "/fhir";

/// The routes of the interactions. Any other path under `/fhir` answers 404.
pub(crate) fn router<S>(shared: Shared, base: Base) -> Router<S> {
    let responses = get(search_responses::search_responses).post(create_response::create_response);
    let interactions = Router::new()
        .route("/metadata", get(get_metadata::get_metadata))
        .route("/Questionnaire/{id}", get(get_questionnaire::get_questionnaire))
        .route("/QuestionnaireResponse", responses)
        .route("/QuestionnaireResponse/{id}", get(get_response::get_response));
    Router::new().nest(PREFIX, interactions).with_state(Interactions { shared, base })
}

/// What all interactions share.
#[derive(Clone)]
struct Interactions {
    shared: Shared,
    base: Base,
}

impl FromRef<Interactions> for Shared {
    fn from_ref(interactions: &Interactions) -> Self {
        interactions.shared.clone()
    }
}

/// Whether a path belongs to FHIR. Errors on such a path are resources, too.
pub(crate) fn serves(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_below_its_prefix_is_of_fhir() {
        for (path, is_of_fhir) in
            [("/fhir", true), ("/fhir/", true), ("/fhir/nothing", true), ("/fhirs", false), ("/v1/fhir", false)]
        {
            assert_eq!(serves(path), is_of_fhir, "{path}");
        }
    }
}
