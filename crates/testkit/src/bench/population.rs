//! Patients and nurses in addition to those of the demo, and earlier reports of theirs.

use anyhow::Context;
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use migrations::demo::PATIENTS;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::client::Client;

/// Sites with at least one nurse, and patients who are spread over them. All log in with the PIN of the first demo
/// patient.
#[derive(Debug, Clone, Copy)]
pub struct Population {
    pub sites: u32,
    pub nurses_per_site: u32,
    pub patients: u32,
    /// Reports of the last months whose notifications are delivered.
    pub reports: u32,
}

/// A patient who is logged in.
#[derive(Debug, Clone)]
pub struct Patient {
    pub token: String,
    /// An assignment that can be filled in at any time.
    pub assignment: Uuid,
}

/// Ids are derived from names, so that statements need not pass them on.
const STATEMENTS: &str = "
    UPDATE clinical.study SET reports_per_hour = 1000000;
    CREATE FUNCTION pg_temp.id(kind text, number bigint) RETURNS uuid LANGUAGE sql AS
        $$ SELECT md5('bench ' || kind || number)::uuid $$;
    INSERT INTO clinical.site (site_id, study_id, code, name, time_zone)
    SELECT pg_temp.id('site', site), study_id, 'BENCH-' || site, 'Site ' || site, 'Etc/UTC'
    FROM clinical.study, generate_series(0, $sites - 1) AS site;
    INSERT INTO identity.person (person_id, role)
    SELECT pg_temp.id('nurse', nurse), 'nurse' FROM generate_series(0, $sites * $nurses - 1) AS nurse;
    INSERT INTO identity.site_membership (site_id, person_id)
    SELECT pg_temp.id('site', nurse / $nurses), pg_temp.id('nurse', nurse)
    FROM generate_series(0, $sites * $nurses - 1) AS nurse;
    INSERT INTO identity.contact (person_id, phone, email)
    SELECT pg_temp.id('nurse', nurse), '+1555' || lpad(nurse::text, 7, '0'), 'nurse-' || nurse || '@example.org'
    FROM generate_series(0, $sites * $nurses - 1) AS nurse;
    INSERT INTO identity.person (person_id, role)
    SELECT pg_temp.id('patient', patient), 'patient' FROM generate_series(0, $patients - 1) AS patient;
    INSERT INTO identity.site_membership (site_id, person_id)
    SELECT pg_temp.id('site', patient % $sites), pg_temp.id('patient', patient)
    FROM generate_series(0, $patients - 1) AS patient;
    INSERT INTO identity.credential (person_id, login, pin_hash)
    SELECT pg_temp.id('patient', patient), 'bench-' || patient, pin_hash
    FROM generate_series(0, $patients - 1) AS patient, identity.credential WHERE login = 'patient-1';
    INSERT INTO clinical.enrolment (study_id, site_id, person_id, subject_code, time_zone, enrolled_at, baseline_date)
    SELECT study_id, pg_temp.id('site', patient % $sites), pg_temp.id('patient', patient), 'BENCH-' || patient, 'Etc/UTC',
           '2026-01-01T00:00:00Z', current_date - 7
    FROM clinical.study, generate_series(0, $patients - 1) AS patient;
    INSERT INTO clinical.assignment (assignment_id, enrolment_id, questionnaire_version_id, schedule)
    SELECT pg_temp.id('assignment', patient), enrolment_id, questionnaire_version_id, 'event'
    FROM generate_series(0, $patients - 1) AS patient
    JOIN clinical.enrolment ON person_id = pg_temp.id('patient', patient)
    CROSS JOIN clinical.questionnaire_version WHERE questionnaire_id = 'daily-symptom-diary';";

/// Foreign keys are not checked here, because that would take longer than everything else. These reports are recognised
/// by their hash.
const REPORTS: &str = "
    SET LOCAL session_replication_role = replica;
    INSERT INTO clinical.report (report_id, assignment_id, enrolment_id, captured_at, captured_offset_seconds, received_at,
                                 answers, raw_body, raw_sha256)
    SELECT pg_temp.id('report', report), assignment_id, enrolment_id, moment, 0, moment,
           '{\"pain\": 3, \"rescue\": false, \"temperature\": 36.9}', convert_to(repeat('x', 240), 'UTF8'), sha256('x')
    FROM generate_series(0, $reports - 1) AS report
    CROSS JOIN LATERAL (SELECT now() - interval '1 day' - report * (interval '90 days' / $reports) AS moment) AS past
    JOIN clinical.assignment ON assignment_id = pg_temp.id('assignment', report % $patients);
    INSERT INTO clinical.idempotency (enrolment_id, key, fingerprint, report_id, created_at)
    SELECT enrolment_id, report_id, raw_sha256, report_id, received_at FROM clinical.report WHERE raw_sha256 = sha256('x');
    INSERT INTO clinical.notification (report_id, site_id, recipient_id, channel, state, attempts, traceparent, created_at,
                                       due_at)
    SELECT report_id, site_id, pg_temp.id('nurse', 0), channel, 'delivered', 1, '', received_at, received_at
    FROM clinical.report JOIN clinical.enrolment USING (enrolment_id), unnest(ARRAY['sms', 'email']) AS channel
    WHERE raw_sha256 = sha256('x');
    INSERT INTO clinical.delivery_attempt (notification_id, attempt, outcome, recorded_at)
    SELECT notification_id, 1, 'delivered', created_at FROM clinical.notification WHERE traceparent = '';
    INSERT INTO clinical.audit_event (enrolment_id, seq, actor_id, action, object_id, after_hash, prev_hash, hash, recorded_at)
    SELECT enrolment_id, row_number() OVER (PARTITION BY enrolment_id ORDER BY received_at), enrolment_id, 'report.create',
           report_id, raw_sha256, raw_sha256, raw_sha256, received_at
    FROM clinical.report
    WHERE raw_sha256 = sha256('x') AND enrolment_id NOT IN (SELECT enrolment_id FROM clinical.audit_chain);
    INSERT INTO clinical.audit_chain (enrolment_id, seq, prev_hash, hash, recorded_at)
    SELECT enrolment_id, max(seq), sha256('x'), sha256('x'), max(recorded_at)
    FROM clinical.audit_event
    WHERE enrolment_id NOT IN (SELECT enrolment_id FROM clinical.audit_chain)
    GROUP BY enrolment_id;
    SET LOCAL session_replication_role = origin;";

impl Population {
    /// Stores the population. Returns each patient's assignment.
    ///
    /// # Errors
    /// When a statement fails.
    pub(crate) async fn store(&self, database: &mut PgConnection) -> anyhow::Result<Vec<Uuid>> {
        let mut tx = database.begin().await?;
        sqlx::raw_sql(AssertSqlSafe(self.statements())).execute(&mut *tx).await.context("store the population")?;
        tx.commit().await?;
        Ok(sqlx::query_scalar(AssertSqlSafe(self.assignments())).fetch_all(database).await?)
    }

    /// The statements that store the population.
    pub fn statements(&self) -> String {
        let reports = if self.reports == 0 { "" } else { REPORTS };
        format!("{STATEMENTS}{reports} ANALYZE;")
            .replace("$sites", &self.sites.to_string())
            .replace("$nurses", &self.nurses_per_site.to_string())
            .replace("$patients", &self.patients.to_string())
            .replace("$reports", &self.reports.to_string())
    }

    /// The query for each patient's assignment.
    pub fn assignments(&self) -> String {
        format!(
            "SELECT md5('bench assignment' || n)::uuid FROM generate_series(0, {} - 1) AS n ORDER BY n",
            self.patients
        )
    }
}

/// Logs all patients in, a few at a time.
///
/// # Errors
/// When one is refused.
pub async fn log_in(client: &Client, assignments: Vec<Uuid>) -> anyhow::Result<Vec<Patient>> {
    const AT_ONCE: usize = 4;
    let logins = assignments.into_iter().enumerate().map(|(number, assignment)| async move {
        let token = client.login(&format!("bench-{number}"), PATIENTS[0].pin).await?.0;
        anyhow::Ok(Patient { token, assignment })
    });
    stream::iter(logins).buffered(AT_ONCE).try_collect().await
}

/// Logs the demo's patients in.
///
/// # Errors
/// When one is refused.
pub async fn log_in_demo(client: &Client) -> anyhow::Result<Vec<Patient>> {
    let logins = PATIENTS.iter().map(|patient| async move {
        let token = client.login(patient.login, patient.pin).await?.0;
        anyhow::Ok(Patient { token, assignment: patient.assignment })
    });
    try_join_all(logins).await
}

/// Submits one report of a demo patient.
///
/// # Errors
/// When it is not stored.
pub(crate) async fn submit_one(client: &Client) -> anyhow::Result<()> {
    let patient = &PATIENTS[0];
    let token = client.login(patient.login, patient.pin).await?;
    client.submit_new(&token, patient.assignment).await?.expect_status(201)?;
    Ok(())
}
