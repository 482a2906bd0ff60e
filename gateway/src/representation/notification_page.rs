use proto::data as pb;
use serde::Serialize;
use utoipa::ToSchema;

use super::rfc3339;
use crate::extract::{Cursor, NotificationState};
use crate::problem::Problem;

/// Some notifications of a list, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct NotificationPage {
    notifications: Vec<Notification>,
    /// The `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    next_cursor: Option<Cursor>,
}

/// A message about one report for one nurse on one channel that was not delivered, or may not have been.
#[derive(Serialize, ToSchema)]
pub(crate) struct Notification {
    #[schema(format = Uuid)]
    notification_id: String,
    #[schema(format = Uuid)]
    report_id: String,
    /// The nurse.
    #[schema(format = Uuid)]
    recipient_id: String,
    channel: Channel,
    #[schema(inline)]
    state: NotificationState,
    /// Whether the report has an urgent alert.
    urgent: bool,
    #[schema(minimum = 1)]
    attempts: u32,
    /// Outcome of the last attempt.
    #[schema(example = "rejected")]
    last_outcome: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// When the last attempt was recorded. The notification has been in this state since then.
    #[schema(format = DateTime)]
    since: String,
}

/// A way to reach a nurse.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Channel {
    Sms,
    Email,
}

impl NotificationPage {
    /// A page of the notifications in `state`.
    pub(crate) fn new(response: pb::ListNotificationsResponse, state: NotificationState) -> Result<Self, Problem> {
        let notifications =
            response.notifications.into_iter().map(|notification| Notification::new(notification, state));
        Ok(Self { notifications: notifications.collect::<Result<_, _>>()?, next_cursor: response.next.map(Cursor) })
    }
}

impl Notification {
    fn new(notification: pb::UndeliveredNotification, state: NotificationState) -> Result<Self, Problem> {
        Ok(Self {
            channel: match notification.channel() {
                pb::Channel::Sms => Channel::Sms,
                pb::Channel::Email => Channel::Email,
                pb::Channel::Unspecified => return Err(Problem::INTERNAL),
            },
            state,
            notification_id: notification.notification_id,
            report_id: notification.report_id,
            recipient_id: notification.recipient_id,
            urgent: notification.urgent,
            attempts: notification.attempts,
            last_outcome: notification.last_outcome,
            created_at: rfc3339(notification.created_at)?,
            since: rfc3339(notification.since)?,
        })
    }
}
