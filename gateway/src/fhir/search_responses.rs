use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use futures_util::future::try_join_all;

use super::base::BaseUrl;
use super::body::Fhir;
use super::mapping::{Definition, Filled, response};
use super::resource::{Bundle, Entry, Link};
use super::search::Search;
use crate::caller::Anyone;
use crate::extract::{Cursor, Languages};
use crate::problem::Problem;
use crate::shared::Shared;

/// Searches a patient's own reports, or those of a nurse's sites: newest first, each in its newest revision.
pub(super) async fn search_responses(
    State(shared): State<Shared>,
    Anyone(principal): Anyone,
    BaseUrl(base): BaseUrl,
    search: Search,
) -> Result<Fhir<Bundle>, Problem> {
    let role = principal.role();
    let address = format!("{base}/QuestionnaireResponse");
    let this = Link { relation: "self", url: search.url(&address, None) };
    let found = shared.data.search_reports(search.request(principal)).await?;
    let next = found.next.map(|next| Link { relation: "next", url: search.url(&address, Some(&Cursor(next))) });

    let filled: Vec<Filled> = found.reports.into_iter().map(Filled::from).collect();
    let definitions = definitions(&shared, &filled).await?;
    let entries = filled.into_iter().map(|filled| {
        let name = (filled.questionnaire_id.clone(), filled.version.clone());
        let resource = response(filled, definitions.get(&name).ok_or(Problem::INTERNAL)?, role)?;
        Ok(Entry::found(format!("{address}/{}", resource.id.as_deref().unwrap_or_default()), resource))
    });
    let entries = entries.collect::<Result<_, Problem>>()?;
    Ok(Fhir(Bundle::searchset(std::iter::once(this).chain(next).collect(), entries)))
}

/// The definitions of the reports' questionnaires. Each version is read once.
async fn definitions(shared: &Shared, filled: &[Filled]) -> Result<BTreeMap<(String, String), Definition>, Problem> {
    let names: BTreeSet<_> = filled.iter().map(|one| (one.questionnaire_id.clone(), one.version.clone())).collect();
    let read = names.into_iter().map(async |name| {
        let found = shared.data.get_questionnaire(name.0.clone(), name.1.clone(), Languages::default()).await?;
        Ok::<_, Problem>((name, Definition::of(&found.definition)?))
    });
    Ok(try_join_all(read).await?.into_iter().collect())
}
