//! The parameters of a search.

use axum::extract::{FromRequestParts, Query};
use chrono::{DateTime, Days, Months, NaiveDate, TimeDelta, Utc};
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use prost_types::Timestamp;
use proto::data as pb;
use proto::domain::Principal;

use crate::extract::Cursor;
use crate::problem::Problem;

const DEFAULT_COUNT: u32 = 20;
const LARGEST_COUNT: u32 = 100;

/// The characters that are escaped in a link: all but the unreserved ones (RFC 3986, section 2.3).
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A search for responses. An unknown parameter is refused. If it were ignored, the search would also find reports that
/// the client did not ask for, and the client could take them for another patient's.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Search {
    /// Canonical URL, with `|version` or without.
    questionnaire: Option<String>,
    /// As sent, for the links.
    authored: Vec<String>,
    from: Option<DateTime<Utc>>,
    before: Option<DateTime<Utc>>,
    count: Option<u32>,
    after: Option<Cursor>,
}

impl Search {
    pub(super) fn request(&self, principal: Principal) -> pb::SearchReportsRequest {
        let timestamp = |time: DateTime<Utc>| Timestamp {
            seconds: time.timestamp(),
            nanos: time.timestamp_subsec_nanos().cast_signed(),
        };
        let questionnaire = self.questionnaire.as_deref().unwrap_or_default();
        let (url, version) = questionnaire.split_once('|').unwrap_or((questionnaire, ""));
        let some = |part: &str| Some(part.to_owned()).filter(|part| !part.is_empty());
        pb::SearchReportsRequest {
            viewer: Some(service_kit::viewer(principal)),
            url: some(url),
            version: some(version),
            captured_from: self.from.map(timestamp),
            captured_before: self.before.map(timestamp),
            limit: self.count.unwrap_or(DEFAULT_COUNT),
            after: self.after.clone().map(|cursor| cursor.0),
        }
    }

    /// The address of this page, or of the page that starts after a cursor.
    pub(super) fn url(&self, address: &str, after: Option<&Cursor>) -> String {
        let after = after.or(self.after.as_ref()).map(ToString::to_string);
        let questionnaire = self.questionnaire.iter().map(|value| ("questionnaire", value.clone()));
        let authored = self.authored.iter().map(|value| ("authored", value.clone()));
        let count = self.count.iter().map(|count| ("_count", count.to_string()));
        let cursor = after.into_iter().map(|cursor| ("_cursor", cursor));
        let parameters = questionnaire.chain(authored).chain(count).chain(cursor);
        let parameters: Vec<_> =
            parameters.map(|(name, value)| format!("{name}={}", utf8_percent_encode(&value, KEPT))).collect();
        if parameters.is_empty() { address.to_owned() } else { format!("{address}?{}", parameters.join("&")) }
    }

    fn add(&mut self, name: &str, value: String) -> Option<()> {
        match name {
            "questionnaire" => set(&mut self.questionnaire, Some(value).filter(|value| is_canonical(value))?),
            "_count" => set(&mut self.count, count(&value)?),
            "_cursor" => set(&mut self.after, value.parse().ok()?),
            "authored" => {
                let (from, before) = bounds(&value)?;
                // If `authored` is repeated, all its conditions apply.
                self.from = self.from.max(from);
                self.before = [self.before, before].into_iter().flatten().min();
                self.authored.push(value);
                Some(())
            }
            // `require_json` has checked it.
            "_format" => Some(()),
            _ => None,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Search {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Ok(Query(parameters)) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) else {
            return Err(Problem::MALFORMED_PARAMETER);
        };
        let mut search = Self::default();
        for (name, value) in parameters {
            search.add(&name, value).ok_or(Problem::MALFORMED_PARAMETER)?;
        }
        Ok(search)
    }
}

/// Sets a parameter. Returns none if it was set before.
fn set<T>(parameter: &mut Option<T>, value: T) -> Option<()> {
    if parameter.is_some() {
        return None;
    }
    *parameter = Some(value);
    Some(())
}

/// Whether a URL is not empty and the database can search for it.
fn is_canonical(value: &str) -> bool {
    !value.is_empty() && value.chars().count() <= 500 && !value.chars().any(char::is_control)
}

/// The number of entries on a page. A larger number than the maximum means the maximum (R4, section 3.1.1.5.6).
fn count(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let count = if is_number { text.parse().unwrap_or(LARGEST_COUNT) } else { 0 };
    (count > 0).then_some(count.min(LARGEST_COUNT))
}

/// The first time that is included, and the first time after it that is not.
type Bounds = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// The times of capture that a date with its prefix selects (R4, section 3.1.1.4.6).
fn bounds(text: &str) -> Option<Bounds> {
    let (prefix, date) = match text.get(..2) {
        Some(prefix @ ("eq" | "ge" | "gt" | "le" | "lt")) => (prefix, text.get(2..)?),
        _ => ("eq", text),
    };
    let (start, end) = interval(date)?;
    Some(match prefix {
        "ge" => (Some(start), None),
        "gt" => (Some(end), None),
        "le" => (None, Some(end)),
        "lt" => (None, Some(start)),
        _ => (Some(start), Some(end)),
    })
}

/// The half-open interval that a date stands for: a year, a month or a day in UTC; or a minute, a second or less with
/// an offset.
fn interval(date: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let day = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let midnight = |day: NaiveDate| day.and_hms_opt(0, 0, 0).map(|time| time.and_utc());
    if !date.is_ascii() {
        return None;
    }
    match date.len() {
        4 => {
            let first = day(&format!("{date}-01-01"))?;
            Some((midnight(first)?, midnight(first.checked_add_months(Months::new(12))?)?))
        }
        7 => {
            let first = day(&format!("{date}-01"))?;
            Some((midnight(first)?, midnight(first.checked_add_months(Months::new(1))?)?))
        }
        10 => {
            let first = day(date)?;
            Some((midnight(first)?, midnight(first.checked_add_days(Days::new(1))?)?))
        }
        _ => moment(date),
    }
}

fn moment(text: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let (date, time) = text.split_once('T')?;
    let (clock, offset) = time.split_at(time.find(['Z', '+', '-'])?);
    let (clock, precision) = match clock.len() {
        5 => (format!("{clock}:00"), TimeDelta::minutes(1)),
        8 => (clock.to_owned(), TimeDelta::seconds(1)),
        // The precision of the database.
        _ => (clock.to_owned(), TimeDelta::microseconds(1)),
    };
    let start = DateTime::parse_from_rfc3339(&format!("{date}T{clock}{offset}")).ok()?.to_utc();
    Some((start, start.checked_add_signed(precision)?))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    async fn search(query: &str) -> Result<Search, Problem> {
        let request = Request::builder().uri(format!("/fhir/QuestionnaireResponse{query}"));
        Search::from_request_parts(&mut request.body(()).unwrap().into_parts().0, &()).await
    }

    async fn range(query: &str) -> (String, String) {
        let search = search(query).await.unwrap();
        let text =
            |time: Option<DateTime<Utc>>| time.map(|time| time.format("%FT%T%.f").to_string()).unwrap_or_default();
        (text(search.from), text(search.before))
    }

    #[tokio::test]
    async fn a_date_stands_for_as_much_time_as_it_says() {
        for (query, from, before) in [
            ("", "", ""),
            ("?authored=ge2026", "2026-01-01T00:00:00", ""),
            ("?authored=gt2026-02", "2026-03-01T00:00:00", ""),
            ("?authored=le2026-12-31", "", "2027-01-01T00:00:00"),
            ("?authored=lt2026-03-01T08:30Z", "", "2026-03-01T08:30:00"),
            ("?authored=2026-02-28", "2026-02-28T00:00:00", "2026-03-01T00:00:00"),
            ("?authored=eq2026-03-01T08:30:01%2B01:00", "2026-03-01T07:30:01", "2026-03-01T07:30:02"),
            ("?authored=le2026-03-01T08:30:01.5-01:00", "", "2026-03-01T09:30:01.500001"),
            ("?authored=ge2026-01-01&authored=le2026-01-31", "2026-01-01T00:00:00", "2026-02-01T00:00:00"),
            (
                "?authored=ge2026&authored=ge2025&authored=lt2027&authored=lt2028",
                "2026-01-01T00:00:00",
                "2027-01-01T00:00:00",
            ),
        ] {
            assert_eq!(range(query).await, (from.to_owned(), before.to_owned()), "{query}");
        }
    }

    #[tokio::test]
    async fn a_search_that_is_not_understood_is_refused() {
        for query in [
            "?authored=",
            "?authored=ge",
            "?authored=ne2026",
            "?authored=2026-13",
            "?authored=2027-02-29",
            "?authored=26",
            "?authored=2026-03-01T08:30",
            "?authored=2026-03-01T08:30:00+01:00",
            "?authored=%C3%A4026",
            "?authored=ge%C3%A4",
            "?_count=0",
            "?_count=-1",
            "?_count=",
            "?_count=x",
            "?_count=1&_count=2",
            "?_cursor=x",
            "?questionnaire=",
            "?questionnaire=a&questionnaire=b",
            "?questionnaire=%00",
            "?patient=1",
            "?authored:missing=true",
            "?_id=1",
        ] {
            assert_eq!(search(query).await, Err(Problem::MALFORMED_PARAMETER), "{query}");
        }
    }

    #[tokio::test]
    async fn a_link_asks_for_the_same() {
        let query =
            "?questionnaire=https%3A%2F%2Fx%7C1.0&authored=ge2026-01-01&authored=lt2026-03-01T08%3A30Z&_count=500";
        let search = search(query).await.unwrap();
        let url = search.url("http://x/fhir/QuestionnaireResponse", None);
        assert_eq!(url, format!("http://x/fhir/QuestionnaireResponse{}", query.replace("500", "100")));
        assert_eq!(self::search(&url[url.find('?').unwrap()..]).await.unwrap(), search);
        assert_eq!(Search::default().url("x", None), "x");
    }
}
