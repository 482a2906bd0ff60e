//! The demo study's rows, and its instruments.

use anyhow::Context;
use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use sqlx::{Connection, PgConnection};
use uuid::{Uuid, uuid};

use super::{NEWCOMER, NURSES, PATIENTS, SITES, STUDY};

/// A version of an instrument.
struct Questionnaire {
    version_id: Uuid,
    /// Short name, as in the API and in the canonical URL.
    id: &'static str,
    version: &'static str,
    /// JSON.
    definition: &'static str,
    /// Texts in German: JSON, by their JSON pointers in the definition. They only show how translations work. A real
    /// study uses validated translations.
    german: &'static str,
}

const DIARY: Questionnaire = Questionnaire {
    version_id: uuid!("d1a1d1a1-0000-4000-8000-000000000001"),
    id: "daily-symptom-diary",
    version: "1.0",
    definition: include_str!("../../instruments/daily-symptom-diary.json"),
    german: include_str!("../../instruments/daily-symptom-diary.de.json"),
};
const PHQ9: Questionnaire = Questionnaire {
    version_id: uuid!("d1a1d1a1-0000-4000-8000-000000000002"),
    id: "phq-9",
    version: "1.0",
    definition: include_str!("../../instruments/phq-9.json"),
    german: include_str!("../../instruments/phq-9.de.json"),
};
const GAD7: Questionnaire = Questionnaire {
    version_id: uuid!("d1a1d1a1-0000-4000-8000-000000000003"),
    id: "gad-7",
    version: "1.0",
    definition: include_str!("../../instruments/gad-7.json"),
    german: include_str!("../../instruments/gad-7.de.json"),
};

/// Stores the demo study. It is safe to run it again: existing rows stay as they are.
///
/// # Errors
/// When the database cannot be reached or does not have the current schema.
pub async fn seed(admin_url: &str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(admin_url).await.context("connect as administrator")?;
    let mut tx = connection.begin().await?;
    crate::act_as(&mut tx, "identity").await?;
    seed_identity(&mut tx).await.context("seed schema identity")?;
    sqlx::query("RESET ROLE").execute(&mut *tx).await?;
    crate::act_as(&mut tx, "clinical").await?;
    seed_clinical(&mut tx).await.context("seed schema clinical")?;
    tx.commit().await?;
    connection.close().await?;
    Ok(())
}

async fn seed_identity(connection: &mut PgConnection) -> anyhow::Result<()> {
    for nurse in &NURSES {
        insert_person(connection, nurse.id, "nurse", nurse.login, Some(nurse.pin), nurse.site).await?;
        sqlx::query(
            "INSERT INTO identity.contact (person_id, phone, email) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(nurse.id)
        .bind(nurse.phone)
        .bind(nurse.email)
        .execute(&mut *connection)
        .await?;
    }
    for patient in &PATIENTS {
        insert_person(connection, patient.id, "patient", patient.login, Some(patient.pin), patient.site).await?;
    }
    insert_person(connection, NEWCOMER.id, "patient", NEWCOMER.login, None, NEWCOMER.site).await?;
    sqlx::query(
        "INSERT INTO identity.activation (code_hash, person_id, expires_at)
         VALUES (sha256(convert_to(upper(replace($1, '-', '')), 'UTF8')), $2, now() + interval '1 year') ON CONFLICT DO NOTHING",
    )
    .bind(NEWCOMER.activation_code)
    .bind(NEWCOMER.id)
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_person(
    connection: &mut PgConnection,
    id: Uuid,
    role: &str,
    login: &str,
    pin: Option<&str>,
    site: Uuid,
) -> anyhow::Result<()> {
    let inserted = sqlx::query("INSERT INTO identity.person (person_id, role) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(id)
        .bind(role)
        .execute(&mut *connection)
        .await?;
    if inserted.rows_affected() == 0 {
        return Ok(());
    }
    let hash = |pin: &str| Argon2::default().hash_password(pin.as_bytes()).map(|hash| hash.to_string());
    let pin_hash = pin.map(hash).transpose().context("hash a demo PIN")?;
    sqlx::query("INSERT INTO identity.credential (person_id, login, pin_hash) VALUES ($1, $2, $3)")
        .bind(id)
        .bind(login)
        .bind(pin_hash)
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO identity.site_membership (site_id, person_id) VALUES ($1, $2)")
        .bind(site)
        .bind(id)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

async fn seed_clinical(connection: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::query(
        // High limits, so that people who try the demo see a message for each report. A flood is still refused.
        "INSERT INTO clinical.study (study_id, code, title, reports_per_hour, told_singly)
         VALUES ($1, $2, $3, 600, 100)
         ON CONFLICT DO NOTHING",
    )
    .bind(STUDY)
    .bind("DEMO-1")
    .bind("Demonstration study")
    .execute(&mut *connection)
    .await?;
    for site in &SITES {
        sqlx::query(
            "INSERT INTO clinical.site (site_id, study_id, code, name, time_zone) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
        )
        .bind(site.id)
        .bind(STUDY)
        .bind(site.code)
        .bind(site.name)
        .bind(site.time_zone)
        .execute(&mut *connection)
        .await?;
    }
    for questionnaire in [DIARY, PHQ9, GAD7] {
        insert_questionnaire(connection, &questionnaire).await?;
    }
    for patient in &PATIENTS {
        insert_enrolment(connection, patient.id, patient.site, patient.subject_code).await?;
        assign_event(connection, patient.id, patient.assignment, &DIARY).await?;
        assign_event(connection, patient.id, patient.phq9, &PHQ9).await?;
        assign_event(connection, patient.id, patient.gad7, &GAD7).await?;
        assign_daily(connection, patient.id, patient.scheduled, &DIARY).await?;
    }
    insert_enrolment(connection, NEWCOMER.id, NEWCOMER.site, NEWCOMER.subject_code).await?;
    assign_event(connection, NEWCOMER.id, NEWCOMER.assignment, &DIARY).await?;
    Ok(())
}

async fn insert_questionnaire(connection: &mut PgConnection, questionnaire: &Questionnaire) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO clinical.questionnaire_version
             (questionnaire_version_id, questionnaire_id, url, version, definition, sha256)
         VALUES ($1, $2, 'https://example.org/questionnaires/' || $2, $3, $4::jsonb,
                 sha256(convert_to($4::jsonb::text, 'UTF8')))
         ON CONFLICT DO NOTHING",
    )
    .bind(questionnaire.version_id)
    .bind(questionnaire.id)
    .bind(questionnaire.version)
    .bind(questionnaire.definition)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO clinical.questionnaire_translation (questionnaire_version_id, language, texts)
         VALUES ($1, 'de', $2::jsonb)
         ON CONFLICT DO NOTHING",
    )
    .bind(questionnaire.version_id)
    .bind(questionnaire.german)
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_enrolment(
    connection: &mut PgConnection,
    person_id: Uuid,
    site_id: Uuid,
    subject_code: &str,
) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO clinical.enrolment
             (study_id, site_id, person_id, subject_code, time_zone, enrolled_at, baseline_date)
         SELECT $1, site_id, $3, $4, time_zone, '2026-01-01T00:00:00Z', current_date - 7
         FROM clinical.site WHERE site_id = $2
         ON CONFLICT DO NOTHING",
    )
    .bind(STUDY)
    .bind(site_id)
    .bind(person_id)
    .bind(subject_code)
    .execute(connection)
    .await?;
    Ok(())
}

async fn assign_event(
    connection: &mut PgConnection,
    person_id: Uuid,
    assignment_id: Uuid,
    questionnaire: &Questionnaire,
) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO clinical.assignment (assignment_id, enrolment_id, questionnaire_version_id, schedule)
         SELECT $1, enrolment_id, $3, 'event' FROM clinical.enrolment WHERE person_id = $2
         ON CONFLICT DO NOTHING",
    )
    .bind(assignment_id)
    .bind(person_id)
    .bind(questionnaire.version_id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Assigns a questionnaire once a day for a year, from 06:00 to 02:30 at night, so that both changes of the clock
/// affect the end of a window.
async fn assign_daily(
    connection: &mut PgConnection,
    person_id: Uuid,
    assignment_id: Uuid,
    questionnaire: &Questionnaire,
) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO clinical.assignment (assignment_id, enrolment_id, questionnaire_version_id, schedule,
                                          first_day, every_days, windows, opens, closes, sync_for)
         SELECT $1, enrolment_id, $3, 'scheduled', 0, 1, 365, '06:00', '02:30', '72 hours'
         FROM clinical.enrolment WHERE person_id = $2
         ON CONFLICT DO NOTHING",
    )
    .bind(assignment_id)
    .bind(person_id)
    .bind(questionnaire.version_id)
    .execute(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Map, Value};

    use super::*;

    /// Collects the JSON pointers of the texts that people read.
    fn texts(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    let path = format!("{path}/{name}");
                    if value.is_string() && ["title", "instructions", "text"].contains(&name.as_str()) {
                        found.insert(path);
                    } else {
                        texts(value, &path, found);
                    }
                }
            }
            Value::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    texts(value, &format!("{path}/{index}"), found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn every_text_that_a_person_reads_is_translated_and_nothing_else() {
        for questionnaire in [DIARY, PHQ9, GAD7] {
            let mut wanted = BTreeSet::new();
            texts(&serde_json::from_str(questionnaire.definition).unwrap(), "", &mut wanted);
            let german: Map<String, Value> = serde_json::from_str(questionnaire.german).unwrap();
            let translated: BTreeSet<_> = german.keys().filter(|path| *path != "/copyright").cloned().collect();
            assert_eq!(translated, wanted, "{}", questionnaire.id);
        }
    }
}
