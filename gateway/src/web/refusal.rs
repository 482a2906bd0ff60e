use axum::response::{IntoResponse, Redirect, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use service_kit::error::CallError;

use crate::problem::Problem;

/// Why a page is not shown.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Nobody is signed in. After signing in, the reader is sent on to this path.
    SignIn(String),
    Problem(Problem),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        Self::Problem(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn(path) => {
                let next = utf8_percent_encode(&path, NON_ALPHANUMERIC);
                Redirect::to(&format!("/sign-in?next={next}")).into_response()
            }
            Self::Problem(problem) => problem.into_response(),
        }
    }
}
