use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use minijinja::context;
use proto::user::ActivateRequest;
use serde::Deserialize;
use service_kit::error::Reason;

use crate::caller::ClientAddress;
use crate::problem::Problem;
use crate::shared::Shared;
use crate::web::Visit;
use crate::web::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct Activation {
    activation_code: String,
    pin: String,
}

pub(in crate::web) async fn show(visit: Visit) -> Result<Response, Refusal> {
    Ok(visit.page("activate.html", context! { wrong => (), login => () })?.into_response())
}

/// Sets a PIN and shows the login.
pub(in crate::web) async fn activate(
    State(shared): State<Shared>,
    ClientAddress(address): ClientAddress,
    visit: Visit,
    activation: Result<Form<Activation>, FormRejection>,
) -> Result<Response, Refusal> {
    let Form(Activation { activation_code, pin }) = activation.map_err(|_| Problem::BAD_REQUEST)?;
    shared.rates.activation(address)?;
    match shared.user.activate(ActivateRequest { activation_code, pin }).await.map_err(Problem::from) {
        Ok(activated) => {
            let content = context! { wrong => (), login => activated.login };
            Ok(visit.page("activate.html", content)?.into_response())
        }
        Err(problem) => {
            let (status, wrong) = match problem {
                problem if problem == Problem::because(Reason::InvalidActivationCode) => {
                    (StatusCode::UNAUTHORIZED, "code")
                }
                problem if problem.is_about_a_pin() => (StatusCode::UNPROCESSABLE_ENTITY, "pin"),
                problem => return Err(problem.into()),
            };
            Ok((status, visit.page("activate.html", context! { wrong, login => () })?).into_response())
        }
    }
}
