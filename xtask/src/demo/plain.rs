//! The demo as text: one report, its trace, and how to send another.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use migrations::demo::{NURSES, PATIENTS};
use testkit::contract;
use testkit::postgres::Postgres;
use testkit::stack::{Service, Stack};
use testkit::trace::Trace;

use super::{Options, builder, curl, end};
use crate::cargo::build_services;
use crate::file;

/// The most time from the submission to the last span.
const DEADLINE: Duration = Duration::from_secs(20);

/// Runs the five services, submits a report, and prints its trace and how to send another.
pub(super) async fn run(options: &Options) -> anyhow::Result<()> {
    // When this is cancelled, dropping it ends the processes and removes the files.
    tokio::select! {
        done = demonstrate(options) => done,
        _ = tokio::signal::ctrl_c() => {
            ensure!(!options.once, "interrupted");
            eprintln!("\nstopped");
            Ok(())
        }
    }
}

async fn demonstrate(options: &Options) -> anyhow::Result<()> {
    if !options.no_build {
        eprintln!("building the services, which takes minutes the first time ...");
        build_services().await?;
    }
    let start = Instant::now();
    let mut postgres = Postgres::builder().fsync(false).start().await?;
    postgres.cluster().create_template().await?;
    eprintln!("{:>6.2} s  Postgres is up and seeded", start.elapsed().as_secs_f64());
    let stack = builder(options).await?.cluster(postgres.cluster().clone()).start().await?;
    eprintln!("{:>6.2} s  the five services are ready", start.elapsed().as_secs_f64());

    let trace = submit(&stack, start).await;
    let told = match &trace {
        Ok(trace) => draw(options.waterfall.as_deref(), trace).and_then(|()| report(&stack, trace)),
        Err(_) => Ok(()),
    };
    if !options.once && trace.is_ok() && told.is_ok() {
        print_curl(&stack.url(Service::Gateway));
        std::future::pending::<()>().await;
    }
    end(stack).await?;
    postgres.stop().await?;
    let violations = contract::check_submission(&trace?, nurses());
    ensure!(violations.is_empty(), "the trace breaks the contract:\n{}", violations.join("\n"));
    told
}

/// Submits one report over HTTP and waits for its complete trace.
async fn submit(stack: &Stack, start: Instant) -> anyhow::Result<Trace> {
    let patient = &PATIENTS[0];
    let client = stack.client();
    let token = client.login(patient.login, patient.pin).await?;
    let submitted = client.submit_new(&token, patient.assignment).await?.expect_status(201)?;
    eprintln!("{:>6.2} s  the first report is stored", start.elapsed().as_secs_f64());
    println!("POST /v1/reports -> 201 {}\n", String::from_utf8_lossy(&submitted.body));
    let trace_id = submitted.trace_id().context("the answer has no traceresponse header")?;
    let trace = stack.otlp.wait_for_shape(&trace_id, DEADLINE, &contract::submit_report(nurses())).await?;
    eprintln!("{:>6.2} s  its trace is complete", start.elapsed().as_secs_f64());
    Ok(trace)
}

fn draw(file: Option<&Path>, trace: &Trace) -> anyhow::Result<()> {
    let Some(file) = file else { return Ok(()) };
    file::write(file, traces::waterfall(trace, None))
}

/// Prints the trace, and who was notified.
fn report(stack: &Stack, trace: &Trace) -> anyhow::Result<()> {
    println!("{trace}");
    let (messages, mails) = (stack.sms.accepted(), stack.smtp.accepted());
    println!("{} SMS and {} mails sent:", messages.len(), mails.len());
    for message in &messages {
        println!("  SMS to {}: {}", message.to, message.body);
    }
    for mail in &mails {
        println!("  mail to {}: {}", mail.to.join(", "), mail.subject().unwrap_or_default());
    }
    let told = (messages.len(), mails.len());
    ensure!(told == (nurses(), nurses()), "one SMS and one mail per nurse were expected");
    Ok(())
}

/// The nurses of the first patient's site.
fn nurses() -> usize {
    NURSES.iter().filter(|nurse| nurse.site == PATIENTS[0].site).count()
}

fn print_curl(url: &str) {
    println!("\nTo do it again:\n\n{}\n\nCtrl-C stops everything and leaves nothing behind.", curl(url));
}
