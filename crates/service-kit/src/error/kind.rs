use http::StatusCode;
use tonic::Code;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident, $code:ident, $status:ident, $name:literal;)+) => {
        /// What went wrong, in the few kinds a caller can act on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorKind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl ErrorKind {
            const ALL: &[Self] = &[$(Self::$kind),+];

            /// The gRPC code the kind travels as.
            pub const fn code(self) -> Code {
                match self {
                    $(Self::$kind => Code::$code,)+
                }
            }

            /// The HTTP status the kind ends up as.
            pub const fn http_status(self) -> StatusCode {
                match self {
                    $(Self::$kind => StatusCode::$status,)+
                }
            }

            /// The word for it where there is no more to say.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

// kind, gRPC code, HTTP status, word: the one table.
kinds! {
    /// The request breaks a rule; sending it again changes nothing.
    Invalid, InvalidArgument, UNPROCESSABLE_ENTITY, "invalid";
    /// Nobody knows who is asking.
    Unauthenticated, Unauthenticated, UNAUTHORIZED, "unauthenticated";
    /// Known, but not allowed.
    Forbidden, PermissionDenied, FORBIDDEN, "forbidden";
    /// Not there, or not visible to the caller, which is the same to them.
    NotFound, NotFound, NOT_FOUND, "not-found";
    /// It contradicts what is stored.
    Conflict, FailedPrecondition, CONFLICT, "conflict";
    /// It has changed since the caller last looked.
    Stale, Aborted, PRECONDITION_FAILED, "stale";
    /// Too much for now.
    Throttled, ResourceExhausted, TOO_MANY_REQUESTS, "throttled";
    /// Something that is needed is down; later it may work.
    Unavailable, Unavailable, SERVICE_UNAVAILABLE, "unavailable";
    /// The time the caller gave has run out.
    Timeout, DeadlineExceeded, SERVICE_UNAVAILABLE, "timeout";
    /// A defect of ours.
    Internal, Internal, INTERNAL_SERVER_ERROR, "internal";
}

impl ErrorKind {
    pub(super) fn of(code: Code) -> Self {
        match code {
            // A peer that went away in the middle of a call; no service of ours answers with one of these.
            Code::Cancelled | Code::Unknown => Self::Unavailable,
            code => Self::ALL.iter().copied().find(|kind| kind.code() == code).unwrap_or(Self::Internal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_code_of_its_own() {
        for kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::of(kind.code()), *kind);
        }
    }
}
