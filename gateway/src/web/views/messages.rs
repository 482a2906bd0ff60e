use axum::extract::State;
use axum::response::{Html, Redirect};
use minijinja::value::Serde;
use minijinja::{Value, context};
use proto::report::ResendNotificationRequest;
use serde::Serialize;
use uuid::Uuid;

use crate::extract::{NotificationState, Page, PathId};
use crate::problem::Problem;
use crate::representation::NotificationPage;
use crate::shared::Shared;
use crate::web::Visit;
use crate::web::refusal::Refusal;

/// Maximum number of messages of a site and a state that are shown: the maximum of one page of the API.
const SHOWN: u32 = 100;

/// The messages of a site in one state.
#[derive(Serialize)]
struct Messages {
    state: NotificationState,
    #[serde(flatten)]
    page: NotificationPage,
}

/// The messages that could not be delivered at a nurse's sites.
pub(in crate::web) async fn show(State(shared): State<Shared>, visit: Visit) -> Result<Html<String>, Refusal> {
    let nurse = visit.nurse()?;
    let lists = nurse.sites.iter().flat_map(|site| NotificationState::ALL.map(|state| (site, state)));
    let lists = lists.map(async |(site, state)| {
        let id: Uuid = site.site_id.parse().map_err(|_| Problem::INTERNAL)?;
        let page = Page { limit: SHOWN, after: None };
        let response = shared.data.list_notifications(nurse.clone(), id, state.into(), page).await?;
        Ok::<_, Problem>(Messages { state, page: NotificationPage::new(response, state)? })
    });
    let lists = futures_util::future::try_join_all(lists).await?;
    Ok(visit.page("messages.html", context! { lists => Value::from(Serde(lists)) })?)
}

/// Sends a message again.
pub(in crate::web) async fn resend(
    State(shared): State<Shared>,
    visit: Visit,
    PathId(id): PathId,
) -> Result<Redirect, Refusal> {
    let nurse = visit.nurse()?;
    let request = ResendNotificationRequest { principal: Some(nurse), notification_id: id.to_string() };
    shared.report.resend_notification(request).await?;
    Ok(Redirect::to("/messages"))
}
