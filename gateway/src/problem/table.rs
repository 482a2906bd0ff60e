use http::StatusCode;
use serde::{Serialize, Serializer};
use service_kit::error::{ErrorKind, Reason};

use super::Problem;

/// A problem type (RFC 9457, section 3.1.1), by which clients distinguish errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProblemType {
    /// Last part of the type's URI reference, `/problems/{name}`.
    pub(crate) name: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) detail: &'static str,
}

/// As its name, for the lists of the routes.
impl Serialize for ProblemType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

macro_rules! own {
    ($($constant:ident = $name:literal, $status:ident, $title:literal, $detail:literal;)+) => {
        impl ProblemType {
            $(pub(crate) const $constant: Self =
                Self { name: $name, status: StatusCode::$status, title: $title, detail: $detail };)+

            /// The problem types of the gateway itself.
            const OWN: &[Self] = &[$(Self::$constant),+];
        }

        impl Problem {
            $(pub(crate) const $constant: Self = Self::of(ProblemType::$constant);)+
        }
    };
}

// The problem types of the gateway itself. Those for the reasons of services are in `service_kit::error`.
own! {
    MALFORMED_JSON = "malformed-json", BAD_REQUEST, "Malformed JSON", "The body is not one JSON object in UTF-8.";
    MALFORMED_ID = "malformed-id", BAD_REQUEST, "Malformed id", "An id is not a UUID.";
    MALFORMED_PARAMETER = "malformed-parameter", BAD_REQUEST, "Malformed query parameter",
        "A query parameter is not one of the values it may have, or stands twice.";
    MALFORMED_CURSOR = "malformed-cursor", BAD_REQUEST, "Malformed cursor",
        "Send the next_cursor of the page before, unchanged.";
    IDEMPOTENCY_KEY = "idempotency-key", BAD_REQUEST, "Bad Idempotency-Key",
        "Send exactly one Idempotency-Key header of 1 to 255 visible ASCII characters.";
    SUBMISSION_KEY = "submission-key", BAD_REQUEST, "No name of the submission",
        "Name the submission: by an Idempotency-Key header, by If-None-Exist: identifier=system|value, or by an \
         identifier of the resource. As system|value an identifier has at most 255 visible ASCII characters.";
    IF_MATCH = "if-match", BAD_REQUEST, "Malformed If-Match",
        "Send one If-Match header with the report's ETag, a list of ETags, or an asterisk.";
    BAD_REQUEST = "bad-request", BAD_REQUEST, "Bad request", "The request cannot be read.";
    UNAUTHENTICATED = "unauthenticated", UNAUTHORIZED, "No access token",
        "Send an access token: Authorization: Bearer <token>.";
    CROSS_SITE = "cross-site", FORBIDDEN, "Cross-site request", "Only pages of this site may ask for this.";
    NOT_FOUND = "not-found", NOT_FOUND, "Not found", "There is nothing here, or nothing that you may see.";
    METHOD_NOT_ALLOWED = "method-not-allowed", METHOD_NOT_ALLOWED, "Method not allowed",
        "This resource does not know the method; Allow lists those it does.";
    NOT_ACCEPTABLE = "not-acceptable", NOT_ACCEPTABLE, "Not acceptable",
        "Nothing that the Accept header asks for can be made; answers are application/json, under /fhir application/fhir+json.";
    SLOW_BODY = "slow-body", REQUEST_TIMEOUT, "Slow body", "The body did not arrive in time.";
    TOO_LARGE = "too-large", PAYLOAD_TOO_LARGE, "Body too large", "The body is too large.";
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type",
        "Send application/json, or under /fhir application/fhir+json, in UTF-8 and without a Content-Encoding.";
    INVALID_BODY = "invalid-body", UNPROCESSABLE_ENTITY, "Invalid body", "The body breaks the API's schema.";
    PRECONDITION_REQUIRED = "precondition-required", PRECONDITION_REQUIRED, "Precondition required",
        "Send If-Match with the ETag of the report as you have read it.";
    THROTTLED = "throttled", TOO_MANY_REQUESTS, "Too many requests", "Too many requests; Retry-After says when.";
    URI_TOO_LONG = "uri-too-long", URI_TOO_LONG, "URI too long", "The request's path and query are too long.";
    HEAD_TOO_LARGE = "head-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE, "Head too large",
        "The request's headers are too large.";
    INTERNAL = "internal", INTERNAL_SERVER_ERROR, "Internal error", "A defect of ours; the trace id finds it.";
    UNAVAILABLE = "unavailable", SERVICE_UNAVAILABLE, "Unavailable",
        "A part of the system is down. Try again with the same key.";
    TIMEOUT = "timeout", SERVICE_UNAVAILABLE, "Timeout", "It took too long. Try again with the same key.";
}

impl ProblemType {
    /// Every problem type there is.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::OWN.iter().copied().chain(Reason::NAMED.iter().map(|reason| Self::of(*reason)))
    }

    /// The type with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::all().find(|problem_type| problem_type.name == name)
    }

    /// The URI reference that stands in a problem's `type`.
    pub(crate) fn uri_reference(self) -> String {
        format!("/problems/{}", self.name)
    }

    /// The type of what a service refuses.
    pub(crate) const fn of(reason: Reason) -> Self {
        match (reason.words(), reason.kind()) {
            (Some((title, detail)), _) => Self { name: reason.as_str(), status: reason.http_status(), title, detail },
            (None, ErrorKind::Unauthenticated) => Self::UNAUTHENTICATED,
            (None, ErrorKind::Forbidden) => Self::of(Reason::WrongRole),
            (None, ErrorKind::NotFound) => Self::NOT_FOUND,
            (None, ErrorKind::Stale) => Self::of(Reason::RevisionMismatch),
            (None, ErrorKind::Throttled) => Self::THROTTLED,
            (None, ErrorKind::Unavailable) => Self::UNAVAILABLE,
            (None, ErrorKind::Timeout) => Self::TIMEOUT,
            // A service refused the gateway's request without a reason that clients know. That is a defect in one of
            // the two.
            (None, ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::Internal) => Self::INTERNAL,
        }
    }
}

impl Problem {
    /// The problem for a service's reason, without field errors.
    pub(crate) const fn because(reason: Reason) -> Self {
        Self::of(ProblemType::of(reason))
    }
}
