use http::StatusCode;
use proto::{ErrorKind, Reason};

use super::Problem;

/// A problem type (RFC 9457, section 3.1.1): what clients tell errors apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProblemType {
    /// Last part of the type's URI reference, `/problems/{name}`.
    pub(crate) name: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) detail: &'static str,
}

macro_rules! table {
    ($($constant:ident = $name:literal, $status:ident, $title:literal, $detail:literal;)+) => {
        impl ProblemType {
            $(const $constant: Self =
                Self { name: $name, status: StatusCode::$status, title: $title, detail: $detail };)+

            /// Every problem type there is.
            pub(crate) const ALL: &[Self] = &[$(Self::$constant),+];
        }

        #[allow(dead_code, reason = "some are only ever a service's reason")]
        impl Problem {
            $(pub(crate) const $constant: Self = Self::of(ProblemType::$constant);)+
        }
    };
}

table! {
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
    INVALID_TOKEN = "invalid-token", UNAUTHORIZED, "Invalid access token",
        "The access token is no good, has expired, or its session has ended.";
    WRONG_CREDENTIALS = "wrong-credentials", UNAUTHORIZED, "Wrong credentials",
        "Login or PIN is wrong, or the login is locked.";
    INVALID_ACTIVATION_CODE = "invalid-activation-code", UNAUTHORIZED, "Invalid activation code",
        "The activation code is unknown, used or expired.";
    INVALID_REFRESH_TOKEN = "invalid-refresh-token", UNAUTHORIZED, "Invalid refresh token",
        "The refresh token is unknown, used or expired, or its session has ended.";
    WRONG_ROLE = "wrong-role", FORBIDDEN, "Wrong role", "Your role may not do this.";
    CROSS_SITE = "cross-site", FORBIDDEN, "Cross-site request", "Only pages of this site may ask for this.";
    INACTIVE = "inactive", FORBIDDEN, "Inactive", "You do not take part in the study any more.";
    NOT_FOUND = "not-found", NOT_FOUND, "Not found", "There is nothing here, or nothing that you may see.";
    ASSIGNMENT_NOT_FOUND = "assignment-not-found", NOT_FOUND, "Assignment not found",
        "There is no such assignment, or it is not yours.";
    NOTIFICATION_NOT_FOUND = "notification-not-found", NOT_FOUND, "Notification not found",
        "There is no such notification, or it is not of one of your sites.";
    REPORT_NOT_FOUND = "report-not-found", NOT_FOUND, "Report not found",
        "There is no such report, or you may not see it.";
    PROJECT_NOT_FOUND = "project-not-found", NOT_FOUND, "Project not found",
        "There is no such study, or you may not see it.";
    SITE_NOT_FOUND = "site-not-found", NOT_FOUND, "Site not found", "There is no such site, or you may not see it.";
    PATIENT_NOT_FOUND = "patient-not-found", NOT_FOUND, "Patient not found", "The site has no such patient.";
    QUESTIONNAIRE_NOT_FOUND = "questionnaire-not-found", NOT_FOUND, "Questionnaire not found",
        "There is no such questionnaire or version.";
    METHOD_NOT_ALLOWED = "method-not-allowed", METHOD_NOT_ALLOWED, "Method not allowed",
        "This resource does not know the method; Allow lists those it does.";
    NOT_ACCEPTABLE = "not-acceptable", NOT_ACCEPTABLE, "Not acceptable",
        "Nothing that the Accept header asks for can be made; answers are application/json, under /fhir application/fhir+json.";
    SLOW_BODY = "slow-body", REQUEST_TIMEOUT, "Slow body", "The body did not arrive in time.";
    WINDOW_USED = "window-used", CONFLICT, "Window used", "A report was captured in this window before.";
    STUDY_CLOSED = "study-closed", CONFLICT, "Study closed", "The study takes no reports any more.";
    ALREADY_REVIEWED = "already-reviewed", CONFLICT, "Already reviewed", "The report has been reviewed before.";
    REPORT_SUPERSEDED = "report-superseded", CONFLICT, "Report superseded", "A newer revision replaces the report.";
    REVISION_LIMIT = "revision-limit", CONFLICT, "Revision limit",
        "The report has as many revisions as it may have.";
    IDEMPOTENCY_KEY_IN_PROGRESS = "idempotency-key-in-progress", CONFLICT, "Idempotency-Key in progress",
        "Another request with this Idempotency-Key has not ended yet. Try again with the same key.";
    NOTHING_TO_RESEND = "nothing-to-resend", CONFLICT, "Nothing to resend",
        "The notification is on its way, or was delivered.";
    REVISION_MISMATCH = "revision-mismatch", PRECONDITION_FAILED, "Revision mismatch",
        "The report has another revision or review by now: read it again.";
    TOO_LARGE = "too-large", PAYLOAD_TOO_LARGE, "Body too large", "The body is too large.";
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type",
        "Send application/json, or under /fhir application/fhir+json, in UTF-8 and without a Content-Encoding.";
    REPORT_INVALID = "report-invalid", UNPROCESSABLE_ENTITY, "Report invalid",
        "The report breaks the rules listed.";
    INVALID_BODY = "invalid-body", UNPROCESSABLE_ENTITY, "Invalid body", "The body breaks the API's schema.";
    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused", UNPROCESSABLE_ENTITY, "Idempotency-Key reused",
        "The Idempotency-Key was used for something else.";
    PIN_TOO_SIMPLE = "pin-too-simple", UNPROCESSABLE_ENTITY, "PIN too simple",
        "Choose 6 to 12 digits that are not easily guessed.";
    PRECONDITION_REQUIRED = "precondition-required", PRECONDITION_REQUIRED, "Precondition required",
        "Send If-Match with the ETag of the report as you have read it.";
    THROTTLED = "throttled", TOO_MANY_REQUESTS, "Too many requests", "Too many requests; Retry-After says when.";
    TOO_MANY_REPORTS = "too-many-reports", TOO_MANY_REQUESTS, "Too many reports",
        "So many reports within an hour are not taken. Keep it, and send it again with the same key later.";
    URI_TOO_LONG = "uri-too-long", URI_TOO_LONG, "URI too long", "The request's path and query are too long.";
    HEAD_TOO_LARGE = "head-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE, "Head too large",
        "The request's headers are too large.";
    INTERNAL = "internal", INTERNAL_SERVER_ERROR, "Internal error", "A defect of ours; the trace id finds it.";
    UNAVAILABLE = "unavailable", SERVICE_UNAVAILABLE, "Unavailable",
        "A part of the system is down. Try again with the same key.";
    WINDOWS_PENDING = "windows-pending", SERVICE_UNAVAILABLE, "Windows pending",
        "The windows of this assignment are not made yet. Try again with the same key.";
    TIMEOUT = "timeout", SERVICE_UNAVAILABLE, "Timeout", "It took too long. Try again with the same key.";
}

impl ProblemType {
    /// The type with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|problem_type| problem_type.name == name)
    }

    /// The URI reference that stands in a problem's `type`.
    pub(crate) fn uri_reference(self) -> String {
        format!("/problems/{}", self.name)
    }
}

impl From<Reason> for ProblemType {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::AssignmentNotFound => Self::ASSIGNMENT_NOT_FOUND,
            Reason::ReportNotFound => Self::REPORT_NOT_FOUND,
            Reason::ProjectNotFound => Self::PROJECT_NOT_FOUND,
            Reason::ReportInvalid => Self::REPORT_INVALID,
            Reason::IdempotencyKeyReused => Self::IDEMPOTENCY_KEY_REUSED,
            Reason::WrongCredentials => Self::WRONG_CREDENTIALS,
            Reason::InvalidToken => Self::INVALID_TOKEN,
            Reason::Inactive => Self::INACTIVE,
            Reason::WrongRole | Reason::Other(ErrorKind::Forbidden) => Self::WRONG_ROLE,
            Reason::PatientNotFound => Self::PATIENT_NOT_FOUND,
            Reason::QuestionnaireNotFound => Self::QUESTIONNAIRE_NOT_FOUND,
            Reason::SiteNotFound => Self::SITE_NOT_FOUND,
            Reason::IdempotencyKeyInProgress => Self::IDEMPOTENCY_KEY_IN_PROGRESS,
            Reason::WindowUsed => Self::WINDOW_USED,
            Reason::WindowsPending => Self::WINDOWS_PENDING,
            Reason::StudyClosed => Self::STUDY_CLOSED,
            Reason::AlreadyReviewed => Self::ALREADY_REVIEWED,
            Reason::ReportSuperseded => Self::REPORT_SUPERSEDED,
            Reason::RevisionLimit => Self::REVISION_LIMIT,
            Reason::RevisionMismatch | Reason::Other(ErrorKind::Stale) => Self::REVISION_MISMATCH,
            Reason::InvalidActivationCode => Self::INVALID_ACTIVATION_CODE,
            Reason::PinTooSimple => Self::PIN_TOO_SIMPLE,
            Reason::InvalidRefreshToken => Self::INVALID_REFRESH_TOKEN,
            Reason::NotificationNotFound => Self::NOTIFICATION_NOT_FOUND,
            Reason::NothingToResend => Self::NOTHING_TO_RESEND,
            Reason::TooManyReports => Self::TOO_MANY_REPORTS,
            Reason::Other(ErrorKind::Unauthenticated) => Self::UNAUTHENTICATED,
            Reason::Other(ErrorKind::NotFound) => Self::NOT_FOUND,
            Reason::Other(ErrorKind::Throttled) => Self::THROTTLED,
            Reason::Other(ErrorKind::Unavailable) => Self::UNAVAILABLE,
            Reason::Other(ErrorKind::Timeout) => Self::TIMEOUT,
            // A service refuses what the gateway has sent without a word for it: a defect between the two.
            Reason::Other(ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::Internal) => Self::INTERNAL,
        }
    }
}
