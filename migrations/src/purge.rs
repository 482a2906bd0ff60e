//! Deletes a study after its retention period, and the patients who took part in no other study.

use anyhow::Context;
use sqlx::{Connection, PgConnection, PgTransaction};
use uuid::Uuid;

use crate::act_as;

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    pub enrolments: i64,
    pub reports: i64,
    /// Patients of no other study, with their logins and addresses.
    pub patients: i64,
}

/// What the function `clinical.purge_study` returns about the deleted study.
#[derive(sqlx::FromRow)]
struct Study {
    study_id: Uuid,
    sites: Vec<Uuid>,
    people: Vec<Uuid>,
    enrolments: i64,
    reports: i64,
}

/// Deletes the study with this code in one transaction. `clinical.purge` and `identity.purge` record when, by whom and
/// why it was deleted, and how much.
///
/// With `rehearse`, the transaction is rolled back at the end.
///
/// # Errors
/// When the study may not be purged yet (the message says why), or the database cannot be reached.
pub async fn purge(admin_url: &str, code: &str, reason: &str, rehearse: bool) -> anyhow::Result<Purged> {
    let mut connection = PgConnection::connect(admin_url).await.context("connect as administrator")?;
    let mut tx = connection.begin().await?;
    let purged = delete(&mut tx, code, reason).await?;
    if rehearse {
        tx.rollback().await?;
    } else {
        tx.commit().await.context("commit")?;
    }
    connection.close().await?;
    Ok(purged)
}

async fn delete(tx: &mut PgTransaction<'_>, code: &str, reason: &str) -> anyhow::Result<Purged> {
    act_as(tx, "clinical").await?;
    let study = sqlx::query_as("SELECT * FROM clinical.purge_study($1, $2)").bind(code).bind(reason);
    let Study { study_id, sites, people, enrolments, reports } = study.fetch_one(&mut **tx).await?;
    act_as(tx, "identity").await?;
    let patients =
        sqlx::query_scalar("SELECT identity.purge_people($1, $2, $3)").bind(study_id).bind(sites).bind(people);
    Ok(Purged { enrolments, reports, patients: patients.fetch_one(&mut **tx).await? })
}
