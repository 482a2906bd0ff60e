use axum::Json;
use axum::extract::State;
use http::StatusCode;
use proto::report as pb;
use serde::Serialize;
use service_kit::error::Reason;
use utoipa::ToSchema;

use crate::caller::Nurse;
use crate::extract::PathId;
use crate::problem::Problem;
use crate::representation::TraceReference;
use crate::shared::Shared;

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
    extensions(("x-problems" = json!([
        Reason::Inactive, Reason::WrongRole, Reason::NotificationNotFound, Reason::NothingToResend,
    ]))),
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

#[cfg(test)]
mod tests {
    use http::Method;
    use proto::domain::Role;
    use proto::report::ResendNotificationResponse;
    use serde_json::Value;
    use service_kit::error::Reason;

    use crate::testing::{Answer, Gateway, ID};

    async fn resend(gateway: &Gateway, id: &str) -> Answer {
        gateway.send(Method::POST, &format!("/v1/notifications/{id}/retries"), &[], &Value::Null).await
    }

    #[tokio::test]
    async fn a_notification_is_sent_again_unless_it_is_on_its_way() {
        let gateway =
            Gateway::asked_by(Role::Nurse).await.answering("ResendNotification", &ResendNotificationResponse {});
        assert_eq!(resend(&gateway, ID).await.status, 202);
        assert_eq!(resend(&gateway, "1").await.problem(), (400, "malformed-id"));
        let gateway = gateway.refusing("ResendNotification", Reason::NothingToResend);
        assert_eq!(resend(&gateway, ID).await.problem(), (409, "nothing-to-resend"));
    }
}
