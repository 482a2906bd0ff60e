use http::StatusCode;
use tonic::Code;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident, $code:ident, $status:ident, $name:literal;)+) => {
        /// The kinds of errors, as far as they matter to a caller.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorKind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl ErrorKind {
            const ALL: &[Self] = &[$(Self::$kind),+];

            /// The gRPC code of the kind.
            pub const fn code(self) -> Code {
                match self {
                    $(Self::$kind => Code::$code,)+
                }
            }

            /// The HTTP status of the kind.
            pub const fn http_status(self) -> StatusCode {
                match self {
                    $(Self::$kind => StatusCode::$status,)+
                }
            }

            /// The word for the kind, where there is no more specific reason.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

// kind, gRPC code, HTTP status, word
kinds! {
    /// The request breaks a rule; sending it again changes nothing.
    Invalid, InvalidArgument, UNPROCESSABLE_ENTITY, "invalid";
    /// The caller is not authenticated.
    Unauthenticated, Unauthenticated, UNAUTHORIZED, "unauthenticated";
    /// The caller is authenticated, but may not do this.
    Forbidden, PermissionDenied, FORBIDDEN, "forbidden";
    /// It does not exist, or the caller may not see it. The caller cannot tell which.
    NotFound, NotFound, NOT_FOUND, "not-found";
    /// The request contradicts what is stored.
    Conflict, FailedPrecondition, CONFLICT, "conflict";
    /// What the request changes has changed since the caller last read it.
    Stale, Aborted, PRECONDITION_FAILED, "stale";
    /// Too many requests for now.
    Throttled, ResourceExhausted, TOO_MANY_REQUESTS, "throttled";
    /// A dependency is down; a later try may succeed.
    Unavailable, Unavailable, SERVICE_UNAVAILABLE, "unavailable";
    /// The caller's deadline has passed.
    Timeout, DeadlineExceeded, SERVICE_UNAVAILABLE, "timeout";
    /// A bug of ours.
    Internal, Internal, INTERNAL_SERVER_ERROR, "internal";
}

impl ErrorKind {
    pub(super) fn of(code: Code) -> Self {
        match code {
            // The peer went away during the call. None of our services answers with one of these codes.
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
