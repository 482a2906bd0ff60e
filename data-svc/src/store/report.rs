use std::collections::HashMap;

use chrono::{DateTime, FixedOffset, Utc};
use proto::report::{Answer, answer};
use serde_json::{Map, Value};
use sqlx::{PgExecutor, query};
use telemetry::postgres::Tx;
use uuid::Uuid;

pub(crate) struct NewReport<'a> {
    pub(crate) report_id: Uuid,
    pub(crate) assignment_id: Uuid,
    pub(crate) enrolment_id: Uuid,
    pub(crate) captured_at: DateTime<FixedOffset>,
    pub(crate) answers: Answers,
    pub(crate) raw_body: &'a [u8],
    pub(crate) raw_sha256: &'a [u8],
}

pub(crate) struct Report {
    pub(crate) report_id: Uuid,
    pub(crate) assignment_id: Uuid,
    pub(crate) revision: i32,
    pub(crate) captured_at: DateTime<FixedOffset>,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) answers: Answers,
}

/// Answers by `link_id`, as they are stored: a JSON object of plain values.
pub(crate) struct Answers(Value);

impl From<HashMap<String, Answer>> for Answers {
    fn from(answers: HashMap<String, Answer>) -> Self {
        let plain = |answer: Answer| match answer.value {
            Some(answer::Value::Integer(value)) => value.into(),
            Some(answer::Value::Decimal(value)) => value.into(),
            Some(answer::Value::Boolean(value)) => value.into(),
            Some(answer::Value::Text(value)) => value.into(),
            None => Value::Null,
        };
        Self(answers.into_iter().map(|(link_id, answer)| (link_id, plain(answer))).collect::<Map<_, _>>().into())
    }
}

#[expect(clippy::implicit_hasher, reason = "the maps of generated messages have the default hasher")]
impl From<Answers> for HashMap<String, Answer> {
    fn from(answers: Answers) -> Self {
        let typed = |value| match value {
            Value::Bool(value) => Some(answer::Value::Boolean(value)),
            Value::Number(value) => {
                value.as_i64().map(answer::Value::Integer).or(value.as_f64().map(answer::Value::Decimal))
            }
            Value::String(value) => Some(answer::Value::Text(value)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        match answers.0 {
            Value::Object(answers) => {
                answers.into_iter().map(|(link_id, value)| (link_id, Answer { value: typed(value) })).collect()
            }
            _ => Self::new(),
        }
    }
}

/// Stores a report's first revision.
pub(crate) async fn insert(tx: &mut Tx, report: NewReport<'_>) -> sqlx::Result<()> {
    query!(
        "INSERT INTO clinical.report (report_id, assignment_id, enrolment_id, captured_at, captured_offset_seconds,
                                      answers, raw_body, raw_sha256)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        report.report_id,
        report.assignment_id,
        report.enrolment_id,
        report.captured_at.to_utc(),
        report.captured_at.offset().local_minus_utc(),
        report.answers.0,
        report.raw_body,
        report.raw_sha256,
    )
    .execute(tx)
    .await
    .map(drop)
}

/// A report that is the person's own or of one of the sites.
pub(crate) async fn find(
    executor: impl PgExecutor<'_>,
    report_id: Uuid,
    person_id: Uuid,
    site_ids: &[Uuid],
) -> sqlx::Result<Option<Report>> {
    let row = query!(
        "SELECT report_id, assignment_id, revision, captured_at, captured_offset_seconds, received_at, answers
         FROM clinical.report
         JOIN clinical.enrolment USING (enrolment_id)
         WHERE report_id = $1 AND (person_id = $2 OR site_id = ANY($3))",
        report_id,
        person_id,
        site_ids,
    )
    .fetch_optional(executor)
    .await?;
    Ok(row.map(|row| Report {
        report_id: row.report_id,
        assignment_id: row.assignment_id,
        revision: row.revision,
        captured_at: at_offset(row.captured_at, row.captured_offset_seconds),
        received_at: row.received_at,
        answers: Answers(row.answers),
    }))
}

/// Reports stored so far, by site.
pub(crate) async fn count_by_site(
    executor: impl PgExecutor<'_>,
    study_id: Uuid,
    site_ids: &[Uuid],
) -> sqlx::Result<HashMap<Uuid, u64>> {
    let rows = query!(
        r#"SELECT site_id, count(*) AS "reports!"
           FROM clinical.report
           JOIN clinical.enrolment USING (enrolment_id)
           WHERE study_id = $1 AND site_id = ANY($2) AND revision = 1
           GROUP BY site_id"#,
        study_id,
        site_ids,
    )
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().map(|row| (row.site_id, row.reports.unsigned_abs())).collect())
}

fn at_offset(time: DateTime<Utc>, offset_seconds: i32) -> DateTime<FixedOffset> {
    FixedOffset::east_opt(offset_seconds).map_or_else(|| time.fixed_offset(), |offset| time.with_timezone(&offset))
}

#[cfg(test)]
mod tests {
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
