use http::StatusCode;
use serde::{Serialize, Serializer};

use super::ErrorKind;

macro_rules! reasons {
    ($($variant:ident, $kind:ident, $name:literal, $title:literal, $detail:literal;)+) => {
        /// Why a request was refused or has failed. Clients tell errors apart by their reason.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $detail] $variant,)+
            /// No reason that is more specific than the kind.
            Other(ErrorKind),
        }

        impl Reason {
            /// All reasons that are more specific than a kind.
            pub const NAMED: &[Self] = &[$(Self::$variant),+];

            /// The kind of error, which tells a caller what to do.
            pub const fn kind(self) -> ErrorKind {
                match self {
                    $(Self::$variant => ErrorKind::$kind,)+
                    Self::Other(kind) => kind,
                }
            }

            /// The word that is sent, and the last part of the problem type.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Other(kind) => kind.as_str(),
                }
            }

            /// A title and a sentence for people. `None` for a mere kind.
            pub const fn words(self) -> Option<(&'static str, &'static str)> {
                match self {
                    $(Self::$variant => Some(($title, $detail)),)+
                    Self::Other(_) => None,
                }
            }
        }
    };
}

// One row for each reason; its gRPC code and HTTP status are those of its kind (`ErrorKind`).
reasons! {
    InvalidActivationCode, Unauthenticated, "invalid-activation-code", "Invalid activation code",
        "The activation code is unknown, used or expired.";
    InvalidRefreshToken, Unauthenticated, "invalid-refresh-token", "Invalid refresh token",
        "The refresh token is unknown, used or expired, or its session has ended.";
    InvalidToken, Unauthenticated, "invalid-token", "Invalid access token",
        "The access token is no good, has expired, or its session has ended.";
    WrongCredentials, Unauthenticated, "wrong-credentials", "Wrong credentials",
        "Login or PIN is wrong, or the login is locked.";
    Inactive, Forbidden, "inactive", "Inactive", "You do not take part in the study any more.";
    WrongRole, Forbidden, "wrong-role", "Wrong role", "Your role may not do this.";
    AssignmentNotFound, NotFound, "assignment-not-found", "Assignment not found",
        "There is no such assignment, or it is not yours.";
    NotificationNotFound, NotFound, "notification-not-found", "Notification not found",
        "There is no such notification, or it is not of one of your sites.";
    PatientNotFound, NotFound, "patient-not-found", "Patient not found", "The site has no such patient.";
    StudyNotFound, NotFound, "study-not-found", "Study not found",
        "There is no such study, or you may not see it.";
    QuestionnaireNotFound, NotFound, "questionnaire-not-found", "Questionnaire not found",
        "There is no such questionnaire or version.";
    ReportNotFound, NotFound, "report-not-found", "Report not found",
        "There is no such report, or you may not see it.";
    SiteNotFound, NotFound, "site-not-found", "Site not found", "There is no such site, or you may not see it.";
    IdempotencyKeyReused, Invalid, "idempotency-key-reused", "Idempotency-Key reused",
        "The Idempotency-Key was used for something else.";
    PinTooSimple, Invalid, "pin-too-simple", "PIN too simple", "Choose 6 to 12 digits that are not easily guessed.";
    ReportInvalid, Invalid, "report-invalid", "Report invalid", "The report breaks the rules listed.";
    AlreadyReviewed, Conflict, "already-reviewed", "Already reviewed", "The report has been reviewed before.";
    IdempotencyKeyInProgress, Conflict, "idempotency-key-in-progress", "Idempotency-Key in progress",
        "Another request with this Idempotency-Key has not ended yet. Try again with the same key.";
    NothingToResend, Conflict, "nothing-to-resend", "Nothing to resend",
        "The notification is on its way, or was delivered.";
    ReportSuperseded, Conflict, "report-superseded", "Report superseded", "A newer revision replaces the report.";
    RevisionLimit, Conflict, "revision-limit", "Revision limit", "The report has as many revisions as it may have.";
    StudyClosed, Conflict, "study-closed", "Study closed", "The study takes no reports any more.";
    WindowUsed, Conflict, "window-used", "Window used", "A report was captured in this window before.";
    RevisionMismatch, Stale, "revision-mismatch", "Revision mismatch",
        "The report has another revision or review by now: read it again.";
    TooManyReports, Throttled, "too-many-reports", "Too many reports",
        "So many reports within an hour are not taken. Keep it, and send it again with the same key later.";
    WindowsPending, Unavailable, "windows-pending", "Windows pending",
        "The windows of this assignment are not made yet. Try again with the same key.";
}

impl Reason {
    /// The HTTP status of its kind.
    pub const fn http_status(self) -> StatusCode {
        self.kind().http_status()
    }

    /// The reason with this word. Unknown words become [`Reason::Other`], so that only words of ours are passed on.
    pub(super) fn parse(word: &str, kind: ErrorKind) -> Self {
        Self::NAMED.iter().copied().find(|reason| reason.as_str() == word).unwrap_or(Self::Other(kind))
    }
}

/// As its word.
impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own() {
        let words: BTreeSet<_> = Reason::NAMED.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(words.len(), Reason::NAMED.len());
        for reason in Reason::NAMED {
            assert_eq!(Reason::parse(reason.as_str(), ErrorKind::Internal), *reason);
        }
    }
}
