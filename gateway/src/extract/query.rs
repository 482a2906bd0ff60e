use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::extract::Query;
use http::request::Parts;
use proto::data::ReviewFilter;
use utoipa::{IntoParams, ToSchema};

use super::{Cursor, EventCursor};
use crate::problem::Problem;

const DEFAULT_LIMIT: u32 = 20;
const LARGEST_LIMIT: u32 = 100;

/// Which page of a list is requested.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// Maximum number of entries on the page.
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    pub(crate) limit: u32,
    /// Where the page starts: the `next_cursor` of the previous page. Absent: at the newest entry.
    #[param(rename = "cursor", value_type = Option<String>, nullable = false, pattern = "^[A-Za-z0-9_-]{32}$")]
    pub(crate) after: Option<Cursor>,
}

impl Page {
    /// The first page, with the default number of entries.
    pub(crate) const FIRST: Self = Self { limit: DEFAULT_LIMIT, after: None };
}

impl<S: Sync> FromRequestParts<S> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let (limit, after) = page(parts)?;
        Ok(Self { limit, after })
    }
}

/// Which page of an audit trail is requested.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventPage {
    /// Maximum number of entries on the page.
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    pub(crate) limit: u32,
    /// Where the page starts: the `next_cursor` of the previous page. Absent: at the oldest entry.
    #[param(rename = "cursor", value_type = Option<String>, nullable = false, pattern = "^[A-Za-z0-9_-]{11}$")]
    pub(crate) after: Option<EventCursor>,
}

impl<S: Sync> FromRequestParts<S> for EventPage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let (limit, after) = page(parts)?;
        Ok(Self { limit, after })
    }
}

/// The number of entries, and the cursor that they start after.
fn page<C: FromStr<Err = Problem>>(parts: &Parts) -> Result<(u32, Option<C>), Problem> {
    let limit = match parameter(parts, "limit")? {
        None => DEFAULT_LIMIT,
        Some(text) => limit(&text).ok_or(Problem::MALFORMED_PARAMETER)?,
    };
    Ok((limit, parameter(parts, "cursor")?.map(|text| text.parse()).transpose()?))
}

/// Selects reports by whether they have been reviewed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, names("review"))]
pub(crate) struct Review(
    /// Absent: all reports.
    #[param(inline, nullable = false)]
    Option<ReviewState>,
);

#[derive(Clone, Copy, ToSchema)]
#[schema(rename_all = "snake_case")]
enum ReviewState {
    Pending,
    Done,
}

impl From<Review> for ReviewFilter {
    fn from(Review(state): Review) -> Self {
        match state {
            None => Self::Unspecified,
            Some(ReviewState::Pending) => Self::Pending,
            Some(ReviewState::Done) => Self::Done,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Review {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parameter(parts, "review")?.as_deref() {
            None => Ok(Self(None)),
            Some("pending") => Ok(Self(Some(ReviewState::Pending))),
            Some("done") => Ok(Self(Some(ReviewState::Done))),
            Some(_) => Err(Problem::MALFORMED_PARAMETER),
        }
    }
}

/// The value of a query parameter. It is refused if it occurs more than once.
pub(super) fn parameter(parts: &Parts, name: &str) -> Result<Option<String>, Problem> {
    let Ok(Query(parameters)) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) else {
        return Err(Problem::MALFORMED_PARAMETER);
    };
    let mut values = parameters.into_iter().filter(|(given, _)| given == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(Problem::MALFORMED_PARAMETER),
    }
}

/// Only digits are allowed, because the number's parser would also accept a plus sign.
fn limit(text: &str) -> Option<u32> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|limit| is_number && (1..=LARGEST_LIMIT).contains(limit))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(query: &str) -> Parts {
        Request::builder().uri(format!("/v1/reports{query}")).body(()).unwrap().into_parts().0
    }

    async fn page(query: &str) -> Result<Page, Problem> {
        Page::from_request_parts(&mut parts(query), &()).await
    }

    #[tokio::test]
    async fn a_page_has_twenty_entries_unless_told_otherwise() {
        for (query, limit) in [("", 20), ("?", 20), ("?other=1&other=2", 20), ("?limit=1", 1), ("?limit=100", 100)] {
            let page = page(query).await.unwrap();
            assert_eq!((page.limit, page.after), (limit, None), "{query}");
        }
    }

    #[tokio::test]
    async fn a_limit_that_is_none_is_refused() {
        for limit in ["-1", "0", "101", "abc", "", "+5", "1e1", "5.0", "99999999999999999999", "5&limit=5", "%FF"] {
            let refused = page(&format!("?limit={limit}")).await.unwrap_err();
            assert_eq!(refused, Problem::MALFORMED_PARAMETER, "{limit}");
        }
    }

    #[tokio::test]
    async fn a_cursor_that_is_none_is_refused() {
        for cursor in ["", "abc", "%00"] {
            let refused = page(&format!("?cursor={cursor}")).await.unwrap_err();
            assert_eq!(refused, Problem::MALFORMED_CURSOR, "{cursor}");
        }
    }

    #[tokio::test]
    async fn an_unknown_kind_of_review_is_refused() {
        let review =
            async |query: &str| Review::from_request_parts(&mut parts(query), &()).await.map(ReviewFilter::from);
        assert_eq!(review("").await, Ok(ReviewFilter::Unspecified));
        assert_eq!(review("?review=pending").await, Ok(ReviewFilter::Pending));
        assert_eq!(review("?review=done").await, Ok(ReviewFilter::Done));
        for query in ["?review=", "?review=all", "?review=Pending", "?review=done&review=done"] {
            assert_eq!(review(query).await, Err(Problem::MALFORMED_PARAMETER), "{query}");
        }
    }
}
