use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use super::MEDIA_TYPE;
use crate::extract::{JsonObject, MediaType};
use crate::problem::Problem;

const TAKEN: MediaType = MediaType {
    essences: &[MEDIA_TYPE, "application/json"],
    // R4, section 2.1.0.14
    parameter: Some(("fhirversion", "4.0")),
};

/// A body that is one JSON object. It is read as strictly as under `/v1`.
pub(super) struct FhirObject(pub(super) JsonObject);

impl<S: Send + Sync> FromRequest<S> for FhirObject {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        JsonObject::read(request, state, &TAKEN).await.map(Self)
    }
}

/// An answer that is a resource.
pub(super) struct Fhir<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Fhir<T> {
    fn into_response(self) -> Response {
        let mut response = axum::Json(self.0).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }
}
