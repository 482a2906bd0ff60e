use serde::Serialize;

use super::QuestionnaireResponse;

/// A page of search results.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::fhir) struct Bundle {
    resource_type: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    link: Vec<Link>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entry: Vec<Entry>,
}

impl Bundle {
    pub(in crate::fhir) fn searchset(link: Vec<Link>, entry: Vec<Entry>) -> Self {
        Self { resource_type: "Bundle", kind: "searchset", link, entry }
    }
}

/// A link to a page.
#[derive(Debug, Serialize)]
pub(in crate::fhir) struct Link {
    pub(in crate::fhir) relation: &'static str,
    pub(in crate::fhir) url: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::fhir) struct Entry {
    full_url: String,
    resource: QuestionnaireResponse,
    search: Search,
}

#[derive(Debug, Serialize)]
struct Search {
    mode: &'static str,
}

impl Entry {
    /// A match of the search with its address.
    pub(in crate::fhir) fn found(full_url: String, resource: QuestionnaireResponse) -> Self {
        Self { full_url, resource, search: Search { mode: "match" } }
    }
}
