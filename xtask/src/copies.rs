//! Runs three copies of each service in containers, and shows how they share the work and what replacing all of them
//! costs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use futures_util::future::try_join_all;
use testkit::bench::{Population, log_in};
use testkit::client::Client;
use testkit::compose::{Compose, free_range};
use testkit::copies::{Answered, Caller, Load, Spread};
use testkit::jaeger::Jaeger;
use testkit::poll;
use tokio::time::sleep;
use traces::Trace;
use traces::verify::{Margins, Report, verify};

use crate::e2e_compose::verdict::Verdict;
use crate::e2e_compose::{SERVICES, interrupted};

/// The compose project. A stack that is already running under another name is not touched.
const PROJECT: &str = "epro-copies";

const OVERLAY: &str = "deploy/compose.copies.yml";

const COPIES: u16 = 3;

/// The largest accepted difference of a copy's share from the mean, relative to the mean.
const UNFAIR: f64 = 0.2;

/// Reports that each client submits before any copy is replaced.
const REPORTS: usize = 5;

/// The pause between two reports of one client. 64 clients make the load of a large study in its busiest minute.
const PAUSE: Duration = Duration::from_secs(5);

/// The number of sites that the patients are spread over.
const SITES: u32 = 4;

/// The most time until the last message is sent, and until the last span is in Jaeger.
const SETTLE: Duration = Duration::from_mins(3);

#[derive(Args)]
pub(crate) struct Options {
    /// Clients at the same time.
    #[arg(long, default_value_t = 64)]
    clients: u32,
    /// Leave the stack running, with its volumes; the next run removes them.
    #[arg(long)]
    keep: bool,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let mut stack = Compose::new(PROJECT).await?;
    stack.overlay(OVERLAY, [])?;
    let first = free_range(COPIES)?;
    stack.set("GATEWAY_PORTS", format!("{first}-{}", first + COPIES - 1));
    let gateways = (first..first + COPIES).map(|port| format!("http://127.0.0.1:{port}")).collect();
    let judged = tokio::select! {
        judged = judge(&stack, gateways, options.clients.max(1)) => judged,
        () = interrupted() => Err(anyhow::anyhow!("interrupted")),
    };
    if !judged.as_ref().is_ok_and(Verdict::is_good) {
        stack.show_state().await;
    }
    if options.keep {
        println!("\nkept: {}", stack.hint());
    } else {
        stack.remove().await?;
    }
    judged?.pronounce()
}

async fn judge(stack: &Compose, gateways: Vec<String>, clients: u32) -> anyhow::Result<Verdict> {
    stack.remove().await?;
    stack.build().await?;
    stack.up().await?;
    // A patient for each client, because submissions of one patient wait for each other's lock on the audit chain.
    let population = Population { sites: SITES, nurses_per_site: 2, patients: clients, reports: 0 };
    sql(stack, &population.statements()).await?;
    // No limit on notifications that are sent one by one.
    sql(stack, "UPDATE clinical.study SET told_singly = 1000000").await?;
    let assignments = sql(stack, &population.assignments()).await?;
    let assignments = assignments.lines().map(str::parse).collect::<Result<_, _>>().context("read an id")?;
    let jaeger = Jaeger::new(&stack.jaeger);
    let gateways: Vec<_> = gateways.into_iter().map(Client::new).collect();
    let mut verdict = Verdict::default();

    let callers = Caller::each(&gateways, log_in(&gateways[0], assignments).await?);
    let since = SystemTime::now();
    // The starts are spread over the pause. All at once would be more than two cores can handle in time.
    let first = callers.iter().zip(0..).map(async |(caller, before): (&Caller, u32)| {
        sleep(PAUSE / clients * before).await;
        caller.submit_so_often(REPORTS, PAUSE).await
    });
    let mut answers = try_join_all(first).await?.concat();
    settled(stack, answers.len()).await?;
    let traces = whole(&jaeger, since, &answers).await?.0;
    let spread = Spread::of(&traces);
    println!("\n{} reports by {clients} clients\n{}", answers.len(), shares(&spread));
    for service in SERVICES {
        let is_fair = spread.0.get(service).is_some_and(|copies| copies.len() == usize::from(COPIES));
        let name = format!("the copies of {service} have a third of its requests each, give or take a fifth");
        verdict.check(&name, is_fair && spread.unfairness(service) <= UNFAIR, || format!("{spread:?}"));
    }

    let load = Load::start(callers, PAUSE);
    let replaced = replace_all(stack).await?;
    let during = load.stop().await?;
    println!("\n{}", summary(&replaced, &during));
    answers.extend(during);
    let failed: Vec<_> =
        answers.iter().filter(|answer| answer.status != 201).map(|answer| format!("{answer:?}")).collect();
    verdict.all("no submission failed", &failed);

    let rows = settled(stack, answers.len()).await?;
    verdict.check(
        "every report is stored once, and each message about it sent once",
        rows == expected(answers.len()),
        || format!("{rows} instead of {}", expected(answers.len())),
    );
    let (traces, report) = whole(&jaeger, since, &answers).await?;
    verdict.check(&format!("all {} traces are whole", traces.len()), report.is_good(), || report.to_string());
    for command in [&["data-svc", "audit", "verify"][..], &["data-svc", "reconcile"]] {
        let said = stack.exec("data-svc", command).await;
        verdict.check(&format!("{} finds nothing wrong", command.join(" ")), said.is_ok(), || format!("{said:?}"));
    }
    Ok(verdict)
}

/// Replaces every container of every service, one after the other. Returns how long each service took.
async fn replace_all(stack: &Compose) -> anyhow::Result<Vec<(&'static str, Duration)>> {
    let mut replaced = Vec::new();
    for service in SERVICES {
        let start = Instant::now();
        for id in stack.copies(service).await? {
            stack.roll(&id).await.with_context(|| format!("replace a copy of {service}"))?;
        }
        replaced.push((service, start.elapsed()));
    }
    Ok(replaced)
}

async fn sql(stack: &Compose, statement: &str) -> anyhow::Result<String> {
    let said = stack.exec("postgres", &["psql", "-U", "postgres", "-d", "epro", "-qAtc", statement]).await?;
    Ok(said.trim().to_owned())
}

/// Waits until all messages about this many reports are delivered. Returns the final numbers of rows: reports, keys,
/// notifications, delivered notifications, attempts.
async fn settled(stack: &Compose, reports: usize) -> anyhow::Result<String> {
    const ROWS: &str = "SELECT (SELECT count(*) FROM clinical.report), (SELECT count(*) FROM clinical.idempotency),
        (SELECT count(*) FROM clinical.notification),
        (SELECT count(*) FROM clinical.notification WHERE state = 'delivered'),
        (SELECT count(*) FROM clinical.delivery_attempt)";
    let expected = expected(reports);
    poll::until(SETTLE, async || sql(stack, ROWS).await, |rows| *rows == expected).await
}

/// Two nurses get an SMS and a mail each for every report.
fn expected(reports: usize) -> String {
    format!("{reports}|{reports}|{0}|{0}|{0}", 4 * reports)
}

/// The traces in Jaeger, once there is one for every report and all are complete, or when the deadline has passed.
async fn whole(jaeger: &Jaeger, since: SystemTime, answers: &[Answered]) -> anyhow::Result<(Vec<Trace>, Report)> {
    let stored = async || {
        let mut traces = BTreeMap::new();
        for service in SERVICES {
            traces.extend(jaeger.traces_since(service, since).await?);
        }
        let unseen = answers.iter().filter(|answer| !traces.contains_key(&answer.trace_id)).count();
        let traces: Vec<Trace> = traces.into_values().collect();
        let report = verify(&traces, Margins::default(), None);
        Ok((traces, report, unseen))
    };
    let (traces, report, unseen) = poll::until(SETTLE, stored, |it| it.1.is_good() && it.2 == 0).await?;
    anyhow::ensure!(unseen == 0, "Jaeger has no trace of {unseen} reports");
    Ok((traces, report))
}

fn shares(spread: &Spread) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_header(["service", "requests of each copy", "farthest from their mean"]);
    for (service, copies) in &spread.0 {
        let counts: Vec<String> = copies.values().map(ToString::to_string).collect();
        table.add_row([service.clone(), counts.join(" "), format!("{:.1} %", 100.0 * spread.unfairness(service))]);
    }
    table
}

fn summary(replaced: &[(&str, Duration)], answers: &[Answered]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY);
    for (service, took) in replaced {
        table.add_row([
            format!("{:.1} s", took.as_secs_f64()),
            format!("for the copies of {service}, one after the other"),
        ]);
    }
    let mut waits: Vec<Duration> = answers.iter().map(|answer| answer.took).collect();
    waits.sort();
    let wait = |part: usize| {
        waits.get((waits.len() * part / 100).min(waits.len().saturating_sub(1))).copied().unwrap_or_default()
    };
    let count = |good: fn(&&Answered) -> bool| answers.iter().filter(good).count().to_string();
    table.add_row([answers.len().to_string(), "reports meanwhile".to_owned()]);
    table.add_row([count(|it| it.status != 201), "of them failed".to_owned()]);
    table
        .add_row([count(|it| it.sent > 1), "sent again, because a gateway took no connection or closed it".to_owned()]);
    table.add_row([
        format!("{:.0?}", wait(50)),
        format!("until half of them were stored; 99 %: {:.0?}; all: {:.0?}", wait(99), wait(100)),
    ]);
    table
}
