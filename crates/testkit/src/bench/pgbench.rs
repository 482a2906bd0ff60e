//! Measures Postgres alone: pgbench runs the statements of one submission in the same transactions as the services.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use anyhow::{Context, ensure};
use serde_json::Value;
use sqlx::Connection;
use tokio::process::Command;

use super::population::Population;
use super::usage;
use crate::postgres::Postgres;

/// The result of running submissions with pgbench.
#[derive(Debug)]
pub struct PgbenchBaseline {
    pub clients: usize,
    pub per_second: f64,
    /// CPU time in Postgres for one submission, in milliseconds.
    pub cpu: f64,
    /// The plan of each statement, as `EXPLAIN (ANALYZE, BUFFERS)` shows it.
    pub plans: Vec<String>,
}

/// A statement of the services, found by a part of its text that no other statement has, with its parameters here.
struct Step {
    part: &'static str,
    parameters: &'static [&'static str],
    /// The columns of its rows that later steps need.
    reads: Option<&'static str>,
}

const fn step(part: &'static str, parameters: &'static [&'static str]) -> Step {
    Step { part, parameters, reads: None }
}

/// Ids derived from names as in [`Population`].
const SESSION: &str = "md5('bench session' || :patient)::uuid";
const PATIENT: &str = "md5('bench patient' || :patient)::uuid";
const ASSIGNMENT: &str = "md5('bench assignment' || :patient)::uuid";
const NURSE: &str = "ARRAY[md5('bench nurse' || :nurse)::uuid]";
const REPORT: &str = ":report_id";
const ENROLMENT: &str = ":enrolment_id";
const SITE: &str = ":site_id";
const KEY: &str = "(:key)::text";
const HASH: &str = "sha256('a body')";
const CHANNELS: &str = "'{sms,email}'";
const FALSE: &str = "false";
const TRACE_ID: &str = "'4bf92f3577b34da6a3ce929d0e0e4736'";
const NULL: &str = "NULL";
const MINUTE: &str = "interval '1 minute'";
const DELIVERED: &str = "'delivered'";
const ZERO: &str = "interval '0'";

const AUTHENTICATE: Step = step("colleague.site_id = membership.site_id", &[SESSION]);
const GET_ASSIGNMENT: Step = step("stored.report_id AS", &[ASSIGNMENT, PATIENT, KEY, "now()"]);
const SAVE_REPORT: [Step; 4] = [
    Step {
        reads: Some("enrolment_id, report_id"),
        ..step(
            "WHERE assignment_id = $1 AND person_id = $2 AND (closed_at",
            &[ASSIGNMENT, PATIENT, KEY, HASH, FALSE, FALSE],
        )
    },
    step(
        "INSERT INTO clinical.report (report_id, assignment_id, enrolment_id, window_id, captured_at",
        &[
            REPORT,
            ASSIGNMENT,
            ENROLMENT,
            NULL,
            "now()",
            "0",
            r#"'{"pain": 7, "rescue": true, "rescue_doses": 2, "temperature": 37.9, "note": "Worse in the evening."}'"#,
            "convert_to(repeat('x', 240), 'UTF8')",
            "'accepted'",
            "'{}'",
            NULL,
            NULL,
        ],
    ),
    step(
        "SELECT $1, site_id, recipient_id, channel, $4",
        &[REPORT, ENROLMENT, NURSE, FALSE, "'00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'", "''", CHANNELS],
    ),
    step("WITH event AS MATERIALIZED", &[ENROLMENT, PATIENT, "'report.create'", REPORT, NULL, NULL, TRACE_ID]),
];
const CLAIM: Step = Step {
    reads: Some(
        "min(site_id::text) AS site_id, min(notification_id::text) AS sms, max(notification_id::text) AS email",
    ),
    ..step("AND NOT gathered", &[REPORT, CHANNELS, MINUTE])
};
const CONTACTS: Step = step("FROM identity.contact", &[SITE]);

/// Records the attempt of one notification. The script replaces its ids for the second notification.
const RECORD: Step = step(
    "INSERT INTO clinical.delivery_attempt",
    &["ARRAY[:sms]", "ARRAY[1]", DELIVERED, DELIVERED, ZERO, ZERO, TRACE_ID, FALSE],
);

/// The services' statements, from sqlx's folder of JSON files.
struct Statements(Vec<String>);

impl Statements {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
        let paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        let text = |path: PathBuf| {
            let file: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
            Ok(file["query"].as_str().context("a file without a query")?.to_owned())
        };
        Ok(Self(paths.into_iter().map(text).collect::<anyhow::Result<_>>()?))
    }

    /// A step as a pgbench command.
    fn command(&self, step: &Step) -> anyhow::Result<String> {
        let found: Vec<_> = self.0.iter().filter(|text| text.contains(step.part)).collect();
        let [text] = found[..] else { anyhow::bail!("{} statements have {:?}, expected one", found.len(), step.part) };
        let mut text = text.clone();
        // From the last to the first, because $1 is also the beginning of $10.
        for (index, parameter) in step.parameters.iter().enumerate().rev() {
            text = text.replace(&format!("${}", index + 1), parameter);
        }
        ensure!(!text.contains('$'), "{:?} has more parameters", step.part);
        Ok(match step.reads {
            None => format!("{text};\n"),
            Some(columns) => format!("WITH done AS ({text}) SELECT {columns} FROM done \\gset\n"),
        })
    }

    /// The script of one submission with its two deliveries.
    fn script(&self, population: Population) -> anyhow::Result<String> {
        let mut script = String::new();
        let Population { patients, sites, .. } = population;
        writeln!(script, "\\set patient random(0, {})\n\\set nurse :patient % {sites}", patients - 1)?;
        script.push_str("\\set key random(1, 9000000000000000)\n");
        script.push_str(&self.command(&AUTHENTICATE)?);
        script.push_str(&self.command(&GET_ASSIGNMENT)?);
        script.push_str("BEGIN;\n");
        for step in &SAVE_REPORT {
            script.push_str(&self.command(step)?);
        }
        script.push_str("COMMIT;\n");
        script.push_str(&self.command(&CLAIM)?);
        script.push_str(&self.command(&CONTACTS)?);
        let record = self.command(&RECORD)?;
        script.push_str(&record);
        script.push_str(&record.replace(":sms", ":email"));
        Ok(script)
    }
}

/// Runs the statements of one submission repeatedly. `statements` is the folder that sqlx has written.
///
/// # Errors
/// When there is no pgbench beside the server's other programs, or a statement fails.
pub(super) async fn run(
    postgres: &Postgres,
    statements: &Path,
    population: Population,
    clients: usize,
    duration: Duration,
) -> anyhow::Result<PgbenchBaseline> {
    let database = postgres.cluster().create_database().await?;
    let mut connection = database.connect().await?;
    population.store(&mut connection).await?;
    let sessions = "INSERT INTO identity.session (session_id, person_id, expires_at)
                    SELECT md5('bench session' || patient)::uuid, md5('bench patient' || patient)::uuid,
                           now() + interval '1 day'
                    FROM generate_series(0, $1 - 1) AS patient";
    sqlx::query(sessions).bind(i64::from(population.patients)).execute(&mut connection).await?;
    connection.close().await?;

    let script = tempfile::NamedTempFile::new()?;
    fs::write(&script, Statements::read(statements)?.script(population)?)?;
    let pgbench = |arguments: &[String]| {
        let mut pgbench = Command::new(postgres.program("pgbench"));
        pgbench.args(["--no-vacuum", "--protocol=prepared", "--jobs=1"]).args(arguments);
        pgbench.arg("--file").arg(script.path()).arg(database.admin_url());
        pgbench
    };
    let before = usage::of_children()?.get("postgres").copied().unwrap_or_default();
    let mut timed = pgbench(&[format!("--client={clients}"), format!("--time={}", duration.as_secs())]);
    let text = output(timed.env("PGOPTIONS", SETTINGS)).await?.0;
    let used = usage::of_children()?.get("postgres").copied().unwrap_or_default() - before;
    let mut explained = pgbench(&[format!("--transactions={UNTIL_PLANS_ARE_KEPT}")]);
    let plans = output(explained.env("PGOPTIONS", format!("{SETTINGS} {EXPLAIN}"))).await?.1;
    database.drop().await?;
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let line = line.with_context(|| format!("pgbench does not say {name:?}: {text}"))?;
        line.split_whitespace().next().context("no number")?.parse::<f64>().context("no number")
    };
    let done = number("number of transactions actually processed: ")?;
    Ok(PgbenchBaseline {
        clients,
        per_second: number("tps = ")?,
        cpu: used.cpu.as_secs_f64() * 1e3 / done.max(1.0),
        plans: last_plans(&plans),
    })
}

/// The same settings as in the services' sessions.
const SETTINGS: &str = "-c enable_seqscan=off -c jit=off";

/// Makes the server send the plan of each statement.
const EXPLAIN: &str = "-c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 \
                       -c auto_explain.log_analyze=on -c auto_explain.log_buffers=on -c client_min_messages=log";

/// Postgres plans a prepared statement for its actual values the first five times. After that it may keep a generic
/// plan.
const UNTIL_PLANS_ARE_KEPT: usize = 8;

/// Runs a program. Returns its standard output and standard error.
async fn output(command: &mut Command) -> anyhow::Result<(String, String)> {
    let output = command.output().await.context("run pgbench")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.success() && !errors.contains("ERROR"), "pgbench failed: {errors}");
    Ok((said, errors))
}

/// The plans of each statement's last execution.
fn last_plans(log: &str) -> Vec<String> {
    let plans: Vec<_> = log.split("LOG:  duration: ").skip(1).map(|plan| plan.trim().to_owned()).collect();
    let each = plans.len() / UNTIL_PLANS_ARE_KEPT;
    plans.into_iter().rev().take(each).rev().collect()
}
