//! The API's description (`OpenAPI` 3.1), made from the routes themselves, and the page that shows it.

use std::fmt::Write;

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use utoipa::OpenApi;
use utoipa::openapi::{Deprecated, Paths};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::problem::ProblemType;

mod problems;

/// Where the description is served.
const DOCUMENT: &str = "/openapi.json";
/// Where the page is served; the same path is in `security_headers`.
const PAGE: &str = "/docs";

/// Former paths that clients still use, each with the path that has replaced it: the same handler answers both.
const DEPRECATED: [(&str, &str); 2] = [
    ("/v1/projects/{id}", "/v1/studies/{id}"),
    ("/v1/projects/{id}/untold-reports", "/v1/studies/{id}/unnotified-reports"),
];

#[derive(OpenApi)]
#[openapi(
    info(title = "ePRO", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    tags(
        (name = "sessions", description = "Who is asking: activation, login, logout."),
        (name = "reports", description = "What patients fill in and send."),
        (name = "reviews", description = "What nurses see and say."),
        (name = "public", description = "Open to anybody."),
    ),
)]
struct Base;

/// The description without its routes.
pub(crate) fn base() -> utoipa::openapi::OpenApi {
    let mut document = Base::openapi();
    document.info.description = Some(description());
    document
}

/// Adds to the description what all routes have in common. The description must have its routes already.
pub(crate) fn complete(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let components = document.components.get_or_insert_default();
    problems::add_components(components);
    add_deprecated(&mut document.paths);
    for (path, item) in &mut document.paths.paths {
        let operations = [(&mut item.get, true), (&mut item.post, false), (&mut item.delete, false)];
        for (operation, is_safe) in operations {
            if let Some(operation) = operation {
                problems::add_to(operation, path, is_safe);
            }
        }
    }
    document
}

/// Describes former paths like the paths that replaced them, marked as deprecated.
fn add_deprecated(paths: &mut Paths) {
    for (former, path) in DEPRECATED {
        let Some(mut item) = paths.paths.get(path).cloned() else { continue };
        for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten() {
            operation.deprecated = Some(Deprecated::True);
            // Operation ids are unique.
            operation.operation_id = None;
        }
        paths.paths.insert(former.to_owned(), item);
    }
}

/// Serves the description and its page. Neither loads anything from another server, so they work offline.
///
/// # Errors
/// When the description cannot be written as JSON.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>(
    document: &utoipa::openapi::OpenApi,
) -> Result<Router<S>, serde_json::Error> {
    let json = Bytes::from(serde_json::to_vec(document)?);
    // By default Swagger UI sends the description to a public validator.
    let page = SwaggerUi::new(PAGE).config(Config::from(DOCUMENT).validator_url("none"));
    let document = get(async move || ([(CONTENT_TYPE, "application/json")], json));
    Ok(Router::from(page).route(DOCUMENT, document))
}

fn description() -> String {
    let mut text = "The HTTP API of an electronic patient-reported outcome (ePRO) system.\n\n\
        Log in with `POST /v1/sessions` and send the access token as `Authorization: Bearer`. Bodies are one JSON \
        object in UTF-8 each; a field that is not listed here, or stands twice, is refused. Lists are pages, the \
        newest entry first: send `next_cursor` as `cursor` to get the next one.\n\n\
        Every answer but those of the health checks has a `traceresponse` header (W3C Trace Context); the trace it \
        names shows how the answer came about.\n\n\
        HL7 FHIR R4 is served at `/fhir`; `GET /fhir/metadata` says what of it.\n\n\
        ## Errors\n\n\
        Errors are problem details (RFC 9457), media type `application/problem+json`. What went wrong is told by \
        `type`; what is sent is never repeated.\n\n\
        | type | status | meaning |\n|---|---|---|\n"
        .to_owned();
    for problem_type in ProblemType::all() {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            problem_type.uri_reference(),
            problem_type.status.as_u16(),
            problem_type.detail
        );
    }
    text
}

#[cfg(test)]
mod tests;
