use axum::extract::State;
use axum::response::Html;
use minijinja::value::Serde;
use minijinja::{Value, context};
use proto::domain::{Principal, Role};
use serde::Serialize;
use uuid::Uuid;

use crate::caller::Patient;
use crate::extract::Page;
use crate::problem::Problem;
use crate::representation::ReportPage;
use crate::routes::{list_assignments, list_reports};
use crate::shared::Shared;
use crate::web::Visit;
use crate::web::refusal::Refusal;

/// Maximum number of pending reports that are shown: the maximum of one page of the API.
const WAITING: u32 = 100;

/// Shows the assignments of a patient, or the pending reports of a nurse.
pub(in crate::web) async fn show(State(shared): State<Shared>, visit: Visit) -> Result<Html<String>, Refusal> {
    let principal = visit.anyone()?;
    let page = match principal.role() {
        Role::Nurse => visit.page("work_list.html", work_list(&shared, principal, &visit).await?)?,
        _ => visit.page("assignments.html", assignments(shared, visit.patient()?, &visit).await?)?,
    };
    Ok(page)
}

async fn assignments(shared: Shared, patient: Principal, visit: &Visit) -> Result<Value, Problem> {
    let (due, sent) = futures_util::try_join!(
        list_assignments::list_assignments(State(shared.clone()), Patient(patient.clone()), visit.languages()),
        list_reports::list_reports(State(shared), Patient(patient), Page::FIRST, visit.languages()),
    )?;
    Ok(context! { due => Value::from(Serde(due.0)), sent => Value::from(Serde(sent.0)) })
}

/// The reports of a site that wait for a review.
#[derive(Serialize)]
struct Site {
    name: String,
    #[serde(flatten)]
    waiting: ReportPage,
}

async fn work_list(shared: &Shared, nurse: Principal, visit: &Visit) -> Result<Value, Problem> {
    let sites = shared.data.list_sites(nurse.clone()).await?.into_iter().map(async |site| {
        let id: Uuid = site.site_id.parse().map_err(|_| Problem::INTERNAL)?;
        let filter = proto::data::ReviewFilter::Pending;
        let page = Page { limit: WAITING, after: None };
        let response = shared.data.list_site_reports(nurse.clone(), id, filter, page, visit.languages()).await?;
        let waiting = ReportPage::new(response, Role::Nurse)?;
        Ok::<_, Problem>(Site { name: site.name, waiting })
    });
    let sites = futures_util::future::try_join_all(sites).await?;
    Ok(context! { sites => Value::from(Serde(sites)) })
}
