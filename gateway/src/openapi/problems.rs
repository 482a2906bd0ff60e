use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};
use service_kit::error::Reason;
use utoipa::PartialSchema;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{
    ArrayBuilder, Components, KnownFormat, Object, ObjectBuilder, Ref, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, RefOr, Schema};

use crate::problem::{FieldError, ProblemType};

/// The problem types that only this route answers with; every other follows from what the route takes.
const OWN: &str = "x-problems";

/// Adds the schemas and the security scheme that the problems and their routes refer to.
pub(super) fn add_components(components: &mut Components) {
    components.schemas.insert("FieldError".to_owned(), FieldError::schema());
    components.schemas.insert("Problem".to_owned(), problem().into());
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
}

/// Adds an answer for every status that the route's problems have. `is_safe` says that its method only reads.
pub(super) fn add_to(operation: &mut Operation, path: &str, is_safe: bool) {
    let mut by_status = BTreeMap::<u16, Vec<ProblemType>>::new();
    for problem_type in problem_types(operation, path, is_safe) {
        by_status.entry(problem_type.status.as_u16()).or_default().push(problem_type);
    }
    for (status, problem_types) in by_status {
        // An answer that the route itself describes stays.
        operation.responses.responses.entry(status.to_string()).or_insert_with(|| response(status, &problem_types));
    }
    if path != "/livez" && path != "/readyz" {
        for response in operation.responses.responses.values_mut() {
            if let RefOr::T(response) = response {
                let trace = header(Type::String, "The trace of this answer (W3C Trace Context).");
                response.headers.insert("traceresponse".to_owned(), RefOr::T(trace));
            }
        }
    }
}

/// The problem types that a route may answer with.
fn problem_types(operation: &mut Operation, path: &str, is_safe: bool) -> Vec<ProblemType> {
    let own = operation.extensions.as_mut().and_then(|extensions| extensions.remove(OWN));
    let own = own.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut all: Vec<_> = own.filter_map(ProblemType::named).collect();
    all.extend([ProblemType::BAD_REQUEST, ProblemType::METHOD_NOT_ALLOWED]);
    all.extend([ProblemType::URI_TOO_LONG, ProblemType::HEAD_TOO_LARGE]);
    if path.starts_with("/v1/") {
        all.extend([ProblemType::NOT_ACCEPTABLE, ProblemType::THROTTLED, ProblemType::INTERNAL]);
        all.extend([ProblemType::UNAVAILABLE, ProblemType::TIMEOUT]);
    }
    if !is_safe {
        all.push(ProblemType::CROSS_SITE);
    }
    if operation.security.is_some() {
        all.extend([ProblemType::UNAUTHENTICATED, ProblemType::of(Reason::InvalidToken)]);
    }
    if operation.request_body.is_some() {
        all.extend([ProblemType::MALFORMED_JSON, ProblemType::SLOW_BODY, ProblemType::TOO_LARGE]);
        all.extend([ProblemType::UNSUPPORTED_MEDIA_TYPE, ProblemType::INVALID_BODY]);
    }
    for parameter in operation.parameters.iter().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        match parameter.name.as_str() {
            "Idempotency-Key" => all.push(ProblemType::IDEMPOTENCY_KEY),
            "If-Match" => all.extend([ProblemType::IF_MATCH, ProblemType::PRECONDITION_REQUIRED]),
            "limit" => all.push(ProblemType::MALFORMED_PARAMETER),
            "cursor" => all.push(ProblemType::MALFORMED_CURSOR),
            _ if is_path_id(parameter) => all.push(ProblemType::MALFORMED_ID),
            _ => {}
        }
    }
    all
}

fn is_path_id(parameter: &Parameter) -> bool {
    let is_uuid = |schema: &RefOr<Schema>| {
        matches!(
            schema,
            RefOr::T(Schema::Object(Object { format: Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)), .. }))
        )
    };
    parameter.parameter_in == ParameterIn::Path && parameter.schema.as_ref().is_some_and(is_uuid)
}

fn response(status: u16, problem_types: &[ProblemType]) -> RefOr<utoipa::openapi::Response> {
    let titles: Vec<_> = problem_types.iter().map(|problem_type| problem_type.title).collect();
    let examples = problem_types.iter().map(|problem_type| (problem_type.name, example(*problem_type)));
    let content =
        ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).examples_from_iter(examples).build();
    let mut response =
        ResponseBuilder::new().description(titles.join(", or: ")).content("application/problem+json", content);
    match StatusCode::from_u16(status) {
        Ok(StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) => {
            response = response.header("retry-after", header(Type::Integer, "Seconds to wait before the next try."));
        }
        Ok(StatusCode::METHOD_NOT_ALLOWED) => {
            response = response.header("allow", header(Type::String, "The methods that the resource knows."));
        }
        Ok(StatusCode::UNAUTHORIZED) => {
            response = response.header("www-authenticate", header(Type::String, "The scheme to use: Bearer."));
        }
        _ => {}
    }
    response.build().into()
}

fn header(schema_type: Type, description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(schema_type).build()))
        .description(Some(description))
        .build()
}

fn example(problem_type: ProblemType) -> Example {
    let mut value = json!({
        "type": problem_type.uri_reference(),
        "title": problem_type.title,
        "status": problem_type.status.as_u16(),
        "detail": problem_type.detail,
        "instance": "/traces/4bf92f3577b34da6a3ce929d0e0e4736",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    });
    if problem_type == ProblemType::of(Reason::ReportInvalid) {
        value["errors"] = json!([{"pointer": "/answers/pain", "link_id": "pain", "code": "range"}]);
    } else if problem_type == ProblemType::INVALID_BODY {
        value["errors"] = json!([{"pointer": "/atested", "code": "unknown-field", "allowed": ["attested"]}]);
    }
    ExampleBuilder::new().summary(problem_type.title).value(Some(value)).build()
}

fn problem() -> Schema {
    let string = || ObjectBuilder::new().schema_type(Type::String);
    let reference = || string().format(Some(SchemaFormat::Custom("uri-reference".to_owned())));
    let types = ProblemType::all().map(ProblemType::uri_reference);
    let meanings =
        ProblemType::all().map(|problem_type| format!("- `{}`: {}", problem_type.uri_reference(), problem_type.detail));
    let meanings = meanings.collect::<Vec<_>>().join("\n");
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Object))
        .description(Some("Problem details (RFC 9457). They never repeat what was sent."))
        .property("type", reference().enum_values(Some(types)).description(Some(meanings)))
        .required("type")
        .property("title", string().description(Some("The type in a few words.")))
        .required("title")
        .property("status", ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(400)).maximum(Some(599)))
        .required("status")
        .property("detail", string().description(Some("The type in a sentence.")))
        .required("detail")
        .property("instance", reference().description(Some("Names this very answer.")))
        .required("instance")
        .property("trace_id", string().pattern(Some("^[0-9a-f]{32}$")))
        .required("trace_id")
        .property("trace_url", reference().description(Some("Where people look at the trace, if configured.")))
        .property(
            "errors",
            ArrayBuilder::new()
                .items(Ref::from_schema_name("FieldError"))
                .description(Some("What is wrong with the body, all of it at once.")),
        )
        .into()
}
