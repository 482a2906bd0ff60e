use std::collections::HashMap;

use proto::Captured;
use proto::domain::Answer;
use serde_json::{Map, Value};
use sqlx::{query, query_as, query_scalar};
use telemetry::postgres::Tx;
use uuid::Uuid;

use crate::values::Disposition;

mod read;
mod search;

pub(crate) use read::{Report, Scope, Summary, UrgentRevision, count_by_site, find, list};
pub(crate) use search::{Found, Wanted, search};

/// Constraint: a window has one first revision at most.
pub(crate) const ONE_PER_WINDOW: &str = "report_window_id_revision_key";
/// Constraint: a revision is superseded once at most.
pub(crate) const ONE_SUCCESSOR: &str = "report_supersedes_key";

/// A first revision.
pub(crate) struct NewReport<'a> {
    pub(crate) report_id: Uuid,
    pub(crate) assignment_id: Uuid,
    pub(crate) enrolment_id: Uuid,
    pub(crate) window_id: Option<Uuid>,
    pub(crate) captured_at: Captured,
    pub(crate) contents: Contents<'a>,
}

/// What a revision says, and the result of the rules.
pub(crate) struct Contents<'a> {
    pub(crate) answers: Answers,
    pub(crate) raw_body: &'a [u8],
    pub(crate) disposition: Disposition,
    pub(crate) held_because: &'a [String],
    pub(crate) score: Option<i32>,
    pub(crate) score_band: Option<&'a str>,
}

/// A revision that somebody wants to amend or to review.
pub(crate) struct Target {
    pub(crate) enrolment_id: Uuid,
    pub(crate) superseded: bool,
    /// Whether it has set off an urgent alert.
    pub(crate) urgent: bool,
    /// How many revisions and reviews the report has up to this one.
    pub(crate) state_number: i32,
    pub(crate) study_closed: bool,
}

/// Answers by `link_id`, as they are stored: a JSON object of plain values.
pub(crate) struct Answers(Value);

impl From<HashMap<String, Answer>> for Answers {
    fn from(answers: HashMap<String, Answer>) -> Self {
        Self(answers.into_iter().map(|(link_id, answer)| (link_id, answer.into())).collect::<Map<_, _>>().into())
    }
}

#[expect(clippy::implicit_hasher, reason = "the maps of generated messages have the default hasher")]
impl From<Answers> for HashMap<String, Answer> {
    fn from(answers: Answers) -> Self {
        match answers.0 {
            Value::Object(answers) => answers.into_iter().map(|(link_id, value)| (link_id, value.into())).collect(),
            _ => Self::new(),
        }
    }
}

/// Stores a report's first revision.
pub(crate) async fn insert(tx: &mut Tx<'_>, report: NewReport<'_>) -> sqlx::Result<()> {
    let contents = report.contents;
    query!(
        "INSERT INTO clinical.report (report_id, assignment_id, enrolment_id, window_id, captured_at,
                                      captured_offset_seconds, answers, raw_body, raw_sha256,
                                      disposition, held_because, score, score_band)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, sha256($8), $9, $10, $11, $12)",
        report.report_id,
        report.assignment_id,
        report.enrolment_id,
        report.window_id,
        report.captured_at.time(),
        report.captured_at.offset_seconds(),
        contents.answers.0,
        contents.raw_body,
        contents.disposition as Disposition,
        contents.held_because,
        contents.score,
        contents.score_band,
    )
    .execute(tx)
    .await
    .map(drop)
}

/// Stores a revision that supersedes another, with the same assignment, window and time of capture. Returns its number.
pub(crate) async fn amend(
    tx: &mut Tx<'_>,
    report_id: Uuid,
    supersedes: Uuid,
    reason: &str,
    contents: Contents<'_>,
) -> sqlx::Result<i32> {
    query_scalar!(
        "INSERT INTO clinical.report (report_id, assignment_id, enrolment_id, window_id, revision, supersedes, captured_at,
                                      captured_offset_seconds, reason, answers, raw_body, raw_sha256,
                                      disposition, held_because, score, score_band)
         SELECT $9, assignment_id, enrolment_id, window_id, revision + 1, report_id, captured_at,
                captured_offset_seconds, $2, $3, $4, sha256($4), $5, $6, $7, $8
         FROM clinical.report
         WHERE report_id = $1
         RETURNING revision",
        supersedes,
        reason,
        contents.answers.0,
        contents.raw_body,
        contents.disposition as Disposition,
        contents.held_because,
        contents.score,
        contents.score_band,
        report_id,
    )
    .fetch_one(tx)
    .await
}

/// A revision of the person's own or of one of the sites, with what a change to it depends on.
pub(crate) async fn find_target(
    tx: &mut Tx<'_>,
    report_id: Uuid,
    person_id: Option<Uuid>,
    site_ids: &[Uuid],
) -> sqlx::Result<Option<Target>> {
    query_as!(
        Target,
        r#"SELECT enrolment_id, coalesce(closed_at <= now(), false) AS "study_closed!",
                  EXISTS (SELECT FROM clinical.report WHERE supersedes = $1) AS "superseded!",
                  EXISTS (SELECT FROM clinical.alert WHERE report_id = $1 AND urgent) AS "urgent!",
                  clinical.state_number($1) AS "state_number!"
           FROM clinical.report
           JOIN clinical.enrolment USING (enrolment_id)
           JOIN clinical.study USING (study_id)
           WHERE report_id = $1 AND (person_id = $2 OR site_id = ANY($3))"#,
        report_id,
        person_id,
        site_ids,
    )
    .fetch_optional(tx)
    .await
}

/// The first report, with its enrolment, whose body does not match its hash.
pub(crate) async fn first_with_other_body(tx: &mut Tx<'_>) -> sqlx::Result<Option<(Uuid, Uuid)>> {
    let row = query!(
        "SELECT enrolment_id, report_id FROM clinical.report
         WHERE raw_sha256 <> sha256(raw_body)
         ORDER BY enrolment_id, report_id
         LIMIT 1",
    );
    Ok(row.fetch_optional(tx).await?.map(|row| (row.enrolment_id, row.report_id)))
}

/// The first report, with its enrolment, whose creation or amendment is not recorded in exactly one event.
pub(crate) async fn first_without_event(tx: &mut Tx<'_>) -> sqlx::Result<Option<(Uuid, Uuid)>> {
    let row = query!(
        "SELECT enrolment_id, report_id FROM clinical.report
         WHERE 1 <> (SELECT count(*) FROM clinical.audit_event AS event
                     WHERE event.enrolment_id = report.enrolment_id AND object_id = report_id
                       AND action = CASE revision WHEN 1 THEN 'report.create' ELSE 'report.amend' END)
         ORDER BY enrolment_id, report_id
         LIMIT 1",
    );
    Ok(row.fetch_optional(tx).await?.map(|row| (row.enrolment_id, row.report_id)))
}

#[cfg(test)]
mod tests {
    use proto::domain::answer;

    use super::*;

    #[test]
    fn answers_come_back_as_they_went_in() {
        let answers = HashMap::from([
            ("pain".to_owned(), Answer { value: Some(answer::Value::Integer(7)) }),
            ("temperature".to_owned(), Answer { value: Some(answer::Value::Decimal(37.0)) }),
            ("rescue".to_owned(), Answer { value: Some(answer::Value::Boolean(false)) }),
            ("note".to_owned(), Answer { value: Some(answer::Value::Text("'; DROP TABLE".to_owned())) }),
        ]);
        assert_eq!(HashMap::from(Answers::from(answers.clone())), answers);
    }
}
