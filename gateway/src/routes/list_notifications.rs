use axum::Json;
use axum::extract::State;
use service_kit::error::Reason;

use crate::caller::Nurse;
use crate::extract::{Page, PathId, Undelivered};
use crate::problem::Problem;
use crate::representation::NotificationPage;
use crate::shared::Shared;

/// List the undelivered notifications of a site
///
/// Messages to its nurses that were not delivered, or may not have been. Newest first.
#[utoipa::path(
    get,
    path = "/v1/sites/{id}/notifications",
    tag = "reviews",
    security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "One of the nurse's sites.",
         example = "5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e01"),
        Undelivered,
        Page,
    ),
    responses((status = 200, description = "A page of notifications.", body = NotificationPage)),
    extensions(("x-problems" = json!([Reason::Inactive, Reason::WrongRole, Reason::SiteNotFound]))),
)]
pub(crate) async fn list_notifications(
    State(shared): State<Shared>,
    Nurse(principal): Nurse,
    PathId(id): PathId,
    Undelivered(state): Undelivered,
    page: Page,
) -> Result<Json<NotificationPage>, Problem> {
    let response = shared.data.list_notifications(principal, id, state.into(), page).await?;
    Ok(Json(NotificationPage::new(response, state)?))
}

#[cfg(test)]
mod tests {
    use proto::data as pb;
    use proto::domain::Role;
    use service_kit::error::Reason;

    use crate::testing::{Gateway, ID, SITE};

    #[tokio::test]
    async fn notifications_are_shown_in_the_state_that_was_asked_for() {
        let time = Some(prost_types::Timestamp { seconds: 1_767_225_600, nanos: 0 });
        let notification = pb::UndeliveredNotification {
            notification_id: ID.to_owned(),
            channel: pb::Channel::Email.into(),
            attempts: 3,
            created_at: time,
            since: time,
            ..Default::default()
        };
        let page = pb::ListNotificationsResponse { notifications: vec![notification], next: None };
        let gateway = Gateway::asked_by(Role::Nurse).await.answering("ListNotifications", &page);
        let path = format!("/v1/sites/{SITE}/notifications");
        let answer = gateway.get(&format!("{path}?state=uncertain")).await;
        let shown = &answer.body["notifications"][0];
        assert_eq!((shown["state"].as_str(), shown["channel"].as_str()), (Some("uncertain"), Some("email")));
        assert!(answer.body.get("next_cursor").is_none());
        for query in ["?state=lost", "?limit=0", "?limit=1&limit=2"] {
            assert_eq!(gateway.get(&format!("{path}{query}")).await.problem(), (400, "malformed-parameter"), "{query}");
        }
        let gateway = gateway.refusing("ListNotifications", Reason::SiteNotFound);
        assert_eq!(gateway.get(&path).await.problem(), (404, "site-not-found"));
    }
}
