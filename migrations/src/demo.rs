//! The demo study: two sites, two nurses each, a few patients with a daily symptom diary.
//!
//! Ids are fixed so that a curl line can be copied; names, numbers and PINs are invented, phone
//! numbers come from the range reserved for fiction and addresses from `example.org`.

use anyhow::Context;
use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::{Uuid, uuid};

/// The study everything belongs to.
pub const STUDY: Uuid = uuid!("5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e00");

/// A hospital of the study.
#[derive(Debug)]
pub struct Site {
    pub id: Uuid,
    pub code: &'static str,
    pub name: &'static str,
    pub time_zone: &'static str,
}

/// A nurse, who logs in with a PIN and is told about new reports of her site.
#[derive(Debug)]
pub struct Nurse {
    pub id: Uuid,
    pub login: &'static str,
    pub pin: &'static str,
    pub site: Uuid,
    pub phone: &'static str,
    pub email: &'static str,
}

/// A patient with one `event` assignment of the diary.
#[derive(Debug)]
pub struct Patient {
    pub id: Uuid,
    pub login: &'static str,
    pub pin: &'static str,
    pub site: Uuid,
    pub subject_code: &'static str,
    pub assignment: Uuid,
}

pub const SITES: [Site; 2] = [
    Site { id: uuid!("5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e01"), code: "BER", name: "Berlin", time_zone: "Europe/Berlin" },
    Site {
        id: uuid!("5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e02"),
        code: "BOS",
        name: "Boston",
        time_zone: "America/New_York",
    },
];

pub const NURSES: [Nurse; 4] = [
    Nurse {
        id: uuid!("8b1f6f0c-6f3e-4a57-8f6d-1c2d3e4f5a01"),
        login: "nurse-berlin-1",
        pin: "735201",
        site: SITES[0].id,
        phone: "+4915555500101",
        email: "nurse1.berlin@example.org",
    },
    Nurse {
        id: uuid!("8b1f6f0c-6f3e-4a57-8f6d-1c2d3e4f5a02"),
        login: "nurse-berlin-2",
        pin: "735202",
        site: SITES[0].id,
        phone: "+4915555500102",
        email: "nurse2.berlin@example.org",
    },
    Nurse {
        id: uuid!("8b1f6f0c-6f3e-4a57-8f6d-1c2d3e4f5a03"),
        login: "nurse-boston-1",
        pin: "735203",
        site: SITES[1].id,
        phone: "+16175550103",
        email: "nurse1.boston@example.org",
    },
    Nurse {
        id: uuid!("8b1f6f0c-6f3e-4a57-8f6d-1c2d3e4f5a04"),
        login: "nurse-boston-2",
        pin: "735204",
        site: SITES[1].id,
        phone: "+16175550104",
        email: "nurse2.boston@example.org",
    },
];

pub const PATIENTS: [Patient; 4] = [
    Patient {
        id: uuid!("2c7e9a44-3b1d-4f6a-a0c5-9e8d7c6b5a01"),
        login: "patient-1",
        pin: "246801",
        site: SITES[0].id,
        subject_code: "BER-001",
        assignment: uuid!("a551a9e0-1d1a-4f00-8000-000000000001"),
    },
    Patient {
        id: uuid!("2c7e9a44-3b1d-4f6a-a0c5-9e8d7c6b5a02"),
        login: "patient-2",
        pin: "246802",
        site: SITES[0].id,
        subject_code: "BER-002",
        assignment: uuid!("a551a9e0-1d1a-4f00-8000-000000000002"),
    },
    Patient {
        id: uuid!("2c7e9a44-3b1d-4f6a-a0c5-9e8d7c6b5a03"),
        login: "patient-3",
        pin: "246803",
        site: SITES[1].id,
        subject_code: "BOS-001",
        assignment: uuid!("a551a9e0-1d1a-4f00-8000-000000000003"),
    },
    Patient {
        id: uuid!("2c7e9a44-3b1d-4f6a-a0c5-9e8d7c6b5a04"),
        login: "patient-4",
        pin: "246804",
        site: SITES[1].id,
        subject_code: "BOS-002",
        assignment: uuid!("a551a9e0-1d1a-4f00-8000-000000000004"),
    },
];

const DIARY: Uuid = uuid!("d1a1d1a1-0000-4000-8000-000000000001");

/// The daily symptom diary, version 1.0: our own wording, free to use.
fn diary() -> serde_json::Value {
    json!({
        "title": "Daily symptom diary",
        "items": [
            {"link_id": "pain", "type": "integer", "text": "Worst pain in the last 24 hours (0 none - 10 worst imaginable)",
             "min": 0, "max": 10, "required": true},
            {"link_id": "rescue", "type": "boolean", "text": "Did you take rescue medication?"},
            {"link_id": "rescue_doses", "type": "integer", "text": "How many doses?", "min": 1, "max": 20,
             "required": true, "enable_when": {"link_id": "rescue", "equals": true}},
            {"link_id": "temperature", "type": "decimal", "text": "Body temperature (degrees Celsius)",
             "min": 34.0, "max": 43.0},
            {"link_id": "note", "type": "text", "text": "Anything you want to tell us?", "max_length": 500}
        ]
    })
}

/// Stores the demo study. Safe to run again: what is there stays as it is.
///
/// # Errors
/// When the database cannot be reached or lacks the current shape.
pub async fn seed(admin_url: &str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(admin_url).await.context("connect as administrator")?;
    let mut tx = connection.begin().await?;
    super::act_as(&mut tx, "identity").await?;
    seed_identity(&mut tx).await.context("seed schema identity")?;
    sqlx::query("RESET ROLE").execute(&mut *tx).await?;
    super::act_as(&mut tx, "clinical").await?;
    seed_clinical(&mut tx).await.context("seed schema clinical")?;
    tx.commit().await?;
    connection.close().await?;
    Ok(())
}

async fn seed_identity(connection: &mut PgConnection) -> anyhow::Result<()> {
    for nurse in &NURSES {
        insert_person(connection, nurse.id, "nurse", nurse.login, nurse.pin, nurse.site).await?;
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
        insert_person(connection, patient.id, "patient", patient.login, patient.pin, patient.site).await?;
    }
    Ok(())
}

async fn insert_person(
    connection: &mut PgConnection,
    id: Uuid,
    role: &str,
    login: &str,
    pin: &str,
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
    let pin_hash = Argon2::default().hash_password(pin.as_bytes()).context("hash a demo PIN")?.to_string();
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
    sqlx::query("INSERT INTO clinical.study (study_id, code, title) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
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
    sqlx::query(
        "INSERT INTO clinical.questionnaire_version (questionnaire_version_id, url, version, definition)
         VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(DIARY)
    .bind("https://example.org/questionnaires/daily-symptom-diary")
    .bind("1.0")
    .bind(diary())
    .execute(&mut *connection)
    .await?;
    for patient in &PATIENTS {
        seed_enrolment(connection, patient).await?;
    }
    Ok(())
}

async fn seed_enrolment(connection: &mut PgConnection, patient: &Patient) -> anyhow::Result<()> {
    sqlx::query(
        "WITH enrolment AS (
             INSERT INTO clinical.enrolment (study_id, site_id, person_id, subject_code, time_zone, enrolled_at)
             SELECT $1, site_id, $3, $4, time_zone, '2026-01-01T00:00:00Z' FROM clinical.site WHERE site_id = $2
             ON CONFLICT DO NOTHING
             RETURNING enrolment_id
         )
         INSERT INTO clinical.assignment (assignment_id, enrolment_id, questionnaire_version_id, schedule)
         SELECT $5, enrolment_id, $6, 'event' FROM enrolment",
    )
    .bind(STUDY)
    .bind(patient.site)
    .bind(patient.id)
    .bind(patient.subject_code)
    .bind(patient.assignment)
    .bind(DIARY)
    .execute(connection)
    .await?;
    Ok(())
}
