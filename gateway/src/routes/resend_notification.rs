use axum::Json;
use axum::extract::State;
use http::StatusCode;
use proto::report as pb;
use serde::Serialize;
use utoipa::ToSchema;

use crate::extract::{Nurse, PathId};
use crate::problem::Problem;
use crate::representation::TraceReference;
use crate::router::Shared;

#[derive(Serialize, ToSchema)]
pub(crate) struct Resent {
    #[serde(flatten)]
    trace: TraceReference,
}

/// Send a notification again
///
/// For a notification that is `dead`, `cancelled` or `uncertain`, after its cause was fixed. It is tried as often and
/// for as long as a new one.
#[utoipa::path(
    post,
    path = "/v1/notifications/{id}/retries",
    tag = "reviews",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "A notification of one of the nurse's sites.")),
    responses((status = 202, description = "It will be tried again.", body = Resent)),
    extensions(("x-problems" = json!(["wrong-role", "notification-not-found", "nothing-to-resend"]))),
)]
pub(crate) async fn resend_notification(
    State(shared): State<Shared>,
    Nurse(principal): Nurse,
    PathId(id): PathId,
) -> Result<(StatusCode, Json<Resent>), Problem> {
    let request = pb::ResendNotificationRequest { principal: Some(principal), notification_id: id.to_string() };
    shared.report.resend_notification(request).await?;
    Ok((StatusCode::ACCEPTED, Json(Resent { trace: TraceReference::current(shared.trace_url.as_deref()) })))
}
