use axum::Json;
use axum::extract::State;
use http::StatusCode;
use proto::user::ActivateRequest;
use serde::Serialize;
use service_kit::error::Reason;
use utoipa::ToSchema;

use crate::caller::ClientAddress;
use crate::extract::{Body, Fields, JsonBody};
use crate::problem::Problem;
use crate::representation::TraceReference;
use crate::shared::Shared;

/// A person's first PIN.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"activation_code": "welcome-to-the-demo-study", "pin": "837465"})))]
pub(crate) struct Activation {
    /// The code as the study handed it out, valid for one activation. Case, spaces and dashes do not matter.
    #[schema(format = Password)]
    activation_code: String,
    /// A PIN that is easy to guess is refused.
    #[schema(format = Password, pattern = "^[0-9]{6,12}$")]
    pin: String,
}

impl Body for Activation {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { activation_code: fields.string("activation_code"), pin: fields.string("pin") })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Activated {
    /// What the person logs in with from now on.
    #[schema(example = "patient-5")]
    login: String,
    #[serde(flatten)]
    trace: TraceReference,
}

/// Choose a PIN with an activation code
///
/// The code cannot be used again.
#[utoipa::path(
    post,
    path = "/v1/activations",
    tag = "sessions",
    request_body = Activation,
    responses((status = 201, description = "The PIN is set.", body = Activated)),
    extensions(("x-problems" = json!([Reason::InvalidActivationCode, Reason::PinTooSimple]))),
)]
pub(crate) async fn create_activation(
    State(shared): State<Shared>,
    ClientAddress(address): ClientAddress,
    JsonBody { value: activation, .. }: JsonBody<Activation>,
) -> Result<(StatusCode, Json<Activated>), Problem> {
    shared.rates.activation(address)?;
    let request = ActivateRequest { activation_code: activation.activation_code, pin: activation.pin };
    let login = shared.user.activate(request).await?.login;
    let trace = TraceReference::current(shared.trace_url.as_deref());
    Ok((StatusCode::CREATED, Json(Activated { login, trace })))
}
