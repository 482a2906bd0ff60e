use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use migrations::demo::{NURSES, SITES};
use sqlx::Row;

use super::copies::Copies;
use super::ledger::{Entries, Ledger};
use super::{Fault, Incident, Plan, orphans};
use crate::poll;
use crate::stack::{Service, Stack};

/// Messages for each report: one by SMS and one by mail to each nurse of its site.
const MESSAGES: usize = 2 * NURSES.len() / SITES.len();

/// The result of a chaos run. Lists hold ids.
#[derive(Debug, Default)]
pub struct Verdict {
    /// How often each fault was injected.
    pub faults: BTreeMap<String, usize>,
    pub partitions: usize,
    /// The longest recovery after a partition.
    pub slowest_recovery: Duration,
    /// Partitions without a recovery in time.
    pub unrecovered: Vec<String>,
    pub acknowledged: usize,
    pub retries: usize,
    /// The median of the time to an acknowledgement.
    pub median_wait: Duration,
    pub longest_wait: Duration,
    /// Answers that a retry would not have changed.
    pub refused: Vec<String>,
    /// Reports that were acknowledged and are not stored.
    pub lost: Vec<String>,
    /// Reports that are stored more than once or that no phone got acknowledged.
    pub duplicates: usize,
    pub notifications: usize,
    /// Notifications that are not delivered, or whose message no provider has received.
    pub stuck: Vec<String>,
    /// Reports whose number of notifications is not that of nurses times channels.
    pub unnotified: Vec<String>,
    /// Messages that a provider received a second time.
    pub double_sends: usize,
    /// Notifications with more messages than one plus the number of attempts that a fault interrupted.
    pub unexplained_sends: Vec<String>,
    /// Findings of `data-svc audit verify` and `data-svc reconcile`.
    pub findings: Vec<String>,
    pub spans: usize,
    /// Spans whose parent died with its process.
    pub orphans: usize,
    /// Spans whose parent is missing without an accepted reason.
    pub unexplained_orphans: Vec<String>,
    pub panics: usize,
    pub took: Duration,
}

impl Verdict {
    /// Whether all guarantees were kept.
    pub fn is_good(&self) -> bool {
        self.failures().iter().all(|(_, count)| *count == 0)
    }

    /// Each guarantee with the number of times it was broken.
    fn failures(&self) -> [(&'static str, usize); 10] {
        [
            ("partitions without a recovery in time", self.unrecovered.len()),
            ("reports lost", self.lost.len()),
            ("duplicate reports", self.duplicates),
            ("submissions refused", self.refused.len()),
            ("reports not told to everybody", self.unnotified.len()),
            ("notifications stuck", self.stuck.len()),
            ("notifications sent again without a fault", self.unexplained_sends.len()),
            ("findings of audit verify and reconcile", self.findings.len()),
            ("orphan spans without a kill to explain them", self.unexplained_orphans.len()),
            ("panics", self.panics),
        ]
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_preset(UTF8_BORDERS_ONLY);
        let total: usize = self.faults.values().sum();
        table.add_row([total.to_string(), "faults".to_owned()]);
        for (fault, count) in &self.faults {
            table.add_row([count.to_string(), format!("  {fault}")]);
        }
        let recovery =
            format!("partitions; after the worst everything worked again within {:.1?}", self.slowest_recovery);
        table.add_row([self.partitions.to_string(), recovery]);
        table.add_row([self.acknowledged.to_string(), "reports acknowledged".to_owned()]);
        table.add_row([self.retries.to_string(), "requests sent again".to_owned()]);
        let waits = format!("acknowledged after, half of them; longest {:.1?}", self.longest_wait);
        table.add_row([format!("{:.0?}", self.median_wait), waits]);
        table.add_row([self.notifications.to_string(), "notifications delivered".to_owned()]);
        table.add_row([self.double_sends.to_string(), "messages sent twice by a fault".to_owned()]);
        table.add_row([self.spans.to_string(), "spans received".to_owned()]);
        table.add_row([self.orphans.to_string(), "orphan spans of killed processes".to_owned()]);
        for (name, count) in self.failures() {
            table.add_row([count.to_string(), name.to_owned()]);
        }
        table.add_row([format!("{:.0?}", self.took), "in all".to_owned()]);
        writeln!(f, "{table}")?;
        let lists = [
            &self.unrecovered,
            &self.lost,
            &self.refused,
            &self.unnotified,
            &self.stuck,
            &self.unexplained_sends,
            &self.findings,
            &self.unexplained_orphans,
        ];
        for line in lists.into_iter().flat_map(|list| list.iter().take(5)) {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// Waits until all deliveries are done, then checks the database, the providers and the received spans. Ends the
/// services, so that they export their last spans.
pub(super) async fn judge(
    copies: &mut Copies,
    ledger: &Ledger,
    incidents: Vec<Incident>,
    plan: &Plan,
) -> anyhow::Result<Verdict> {
    let entries = ledger.entries();
    let mut verdict =
        Verdict { acknowledged: entries.acknowledged.len(), retries: entries.retries, ..Verdict::default() };
    for Incident { fault, recovery, .. } in &incidents {
        *verdict.faults.entry(fault.to_string()).or_default() += 1;
        if !matches!(fault, Fault::Partition(..)) {
            continue;
        }
        verdict.partitions += 1;
        verdict.slowest_recovery = verdict.slowest_recovery.max(recovery.unwrap_or_default());
        if recovery.is_none_or(|recovery| recovery > plan.recovery) {
            verdict.unrecovered.push(format!("{fault}: {recovery:.1?}"));
        }
    }
    let mut waits = entries.waits.clone();
    waits.sort();
    verdict.median_wait = waits.get(waits.len() / 2).copied().unwrap_or_default();
    verdict.longest_wait = waits.last().copied().unwrap_or_default();

    let stack = &copies.stack;
    rest(stack, plan.settle).await?;
    reports(stack, &entries, &mut verdict).await?;
    notifications(stack, &mut verdict).await?;
    for command in [&["audit", "verify"][..], &["reconcile"]] {
        let output = stack.command(Service::DataSvc, command).await?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout);
            verdict.findings.push(format!("data-svc {}: {}", command.join(" "), text.trim()));
        }
    }
    verdict.refused = entries.refused;

    let lines = copies.end().await?;
    let is_panic = |line: &&serde_json::Value| line["message"].as_str().is_some_and(|text| text.contains("panic"));
    verdict.panics = lines.iter().filter(is_panic).count();
    for trace in copies.stack.otlp.traces() {
        let (explained, unexplained) = orphans::sort(&trace, &incidents);
        verdict.spans += trace.spans.len();
        verdict.orphans += explained.len();
        let name = |span: &&crate::trace::Span| format!("{} {} of trace {}", span.service, span.name, span.trace_id);
        verdict.unexplained_orphans.extend(unexplained.iter().map(name));
    }
    Ok(verdict)
}

/// Waits until no delivery is pending, or `settle` has passed.
async fn rest(stack: &Stack, settle: Duration) -> anyhow::Result<()> {
    let mut database = stack.database.connect().await?;
    let pending = async || {
        let count = "SELECT count(*) FROM clinical.notification WHERE state = 'pending'";
        Ok(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut database).await?)
    };
    poll::until(settle, pending, |count| *count == 0).await.map(drop)
}

async fn reports(stack: &Stack, entries: &Entries, verdict: &mut Verdict) -> anyhow::Result<()> {
    let mut database = stack.database.connect().await?;
    let rows = sqlx::query(
        "SELECT report_id::text, count(notification_id) AS told
         FROM clinical.report LEFT JOIN clinical.notification USING (report_id)
         GROUP BY report_id",
    )
    .fetch_all(&mut database)
    .await?;
    let mut stored = BTreeSet::new();
    for row in rows {
        let report_id: String = row.try_get("report_id")?;
        if row.try_get::<i64, _>("told")? != i64::try_from(MESSAGES)? {
            verdict.unnotified.push(format!("report {report_id} has another number of notifications"));
        }
        stored.insert(report_id);
    }
    let acknowledged: BTreeSet<String> = entries.acknowledged.values().cloned().collect();
    verdict.lost = acknowledged.difference(&stored).map(|id| format!("report {id} is lost")).collect();
    // Every key was acknowledged in the end, so exactly one report must be stored for each.
    verdict.duplicates = stored.len().abs_diff(entries.acknowledged.len());
    Ok(())
}

async fn notifications(stack: &Stack, verdict: &mut Verdict) -> anyhow::Result<()> {
    let mut database = stack.database.connect().await?;
    // Only a fault can leave an attempt without a record, or with the outcome `uncertain`.
    let rows = sqlx::query(
        "SELECT notification_id::text, state, attempts - count(outcome) FILTER (WHERE outcome <> 'uncertain') AS unknown
         FROM clinical.notification LEFT JOIN clinical.delivery_attempt USING (notification_id)
         GROUP BY notification_id",
    )
    .fetch_all(&mut database)
    .await?;
    let sent = messages(stack);
    verdict.double_sends = sent.values().map(|count| count - 1).sum();
    for row in rows {
        let (id, state): (String, String) = (row.try_get("notification_id")?, row.try_get("state")?);
        let unknown = usize::try_from(row.try_get::<i64, _>("unknown")?)?;
        let sends = sent.get(&id).copied().unwrap_or_default();
        if state != "delivered" || sends == 0 {
            verdict.stuck.push(format!("notification {id} is {state}, sent {sends} times"));
        } else {
            verdict.notifications += 1;
        }
        if sends > 1 + unknown {
            let said = format!("notification {id} was sent {sends} times, with {unknown} attempts of an unknown end");
            verdict.unexplained_sends.push(said);
        }
    }
    Ok(())
}

/// The number of messages that the providers received for each notification.
fn messages(stack: &Stack) -> BTreeMap<String, usize> {
    let texts = stack.sms.accepted().into_iter().filter_map(|message| message.idempotency_key);
    let mails = stack.smtp.accepted().into_iter().filter_map(|mail| {
        let id = mail.message_id()?;
        Some(id.trim_start_matches('<').split('@').next()?.to_owned())
    });
    let mut counts = BTreeMap::new();
    for id in texts.chain(mails) {
        *counts.entry(id).or_default() += 1;
    }
    counts
}
