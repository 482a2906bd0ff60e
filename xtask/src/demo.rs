use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use migrations::demo::{NURSES, PATIENTS, STUDY};
use testkit::contract;
use testkit::otlp::Receiver;
use testkit::postgres::Postgres;
use testkit::stack::{Service, Stack};
use testkit::trace::Trace;

use crate::cargo::build_services;
use crate::file;

/// From the submission to the last span.
const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Args)]
pub(crate) struct Options {
    /// Submit one report, print its trace and end; exits 0 only if the trace is complete.
    #[arg(long)]
    once: bool,
    /// Writes the trace as a picture, in SVG.
    #[arg(long, value_name = "FILE")]
    waterfall: Option<PathBuf>,
    /// A service's port, such as `user-svc=50051`, or the gateway's alone, such as `8080`; may be
    /// repeated. Any free port for those not given.
    #[arg(long, value_name = "[SERVICE=]PORT", value_parser = port)]
    port: Vec<(Service, u16)>,
}

fn port(text: &str) -> anyhow::Result<(Service, u16)> {
    let (name, port) = text.split_once('=').unwrap_or((Service::Gateway.name(), text));
    let service = Service::ALL.into_iter().find(|service| service.name() == name);
    Ok((service.with_context(|| format!("no service is named {name}"))?, port.parse()?))
}

/// Runs the five services as processes on a private Postgres with built-in SMS, mail and trace receivers.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    // What is dropped in the middle takes its processes and files along.
    tokio::select! {
        done = demonstrate(&options) => done,
        _ = tokio::signal::ctrl_c() => {
            ensure!(!options.once, "interrupted");
            eprintln!("\nstopped");
            Ok(())
        }
    }
}

async fn demonstrate(options: &Options) -> anyhow::Result<()> {
    eprintln!("building the services, which takes minutes the first time ...");
    build_services().await?;
    let start = Instant::now();
    let mut postgres = Postgres::builder().fsync(false).start().await?;
    postgres.cluster().create_template().await?;
    eprintln!("{:>6.2} s  Postgres is up and seeded", start.elapsed().as_secs_f64());
    let mut stack = Stack::builder()
        .cluster(postgres.cluster().clone())
        .receiver(receiver().await?)
        .env_all("EPRO_TELEMETRY__ENVIRONMENT", "demo");
    for (service, port) in &options.port {
        stack = stack.port(*service, *port);
    }
    let stack = stack.start().await?;
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

/// Ends the services, then sees their last spans off.
async fn end(mut stack: Stack) -> anyhow::Result<()> {
    for service in Service::ALL.into_iter().rev() {
        stack.terminate(service).await?;
    }
    let missing = stack.otlp.drain(DEADLINE).await;
    if missing > 0 {
        eprintln!(
            "{missing} batches of spans did not reach OTEL_EXPORTER_OTLP_ENDPOINT (it must speak OTLP over gRPC)"
        );
    }
    stack.stop().await.map(drop)
}

/// Spans go on to a collector of the user's own, if there is one.
async fn receiver() -> anyhow::Result<Receiver> {
    match std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT") {
        Ok(endpoint) if !endpoint.is_empty() => Receiver::forwarding_to(&endpoint).await,
        _ => Receiver::start().await,
    }
}

/// Submits one report over HTTP and waits for its whole trace.
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

/// Prints the trace, and who was told.
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
    let (patient, nurse) = (&PATIENTS[0], &NURSES[0]);
    println!(
        r#"
To do it again:

TOKEN=$(curl -sS {url}/v1/sessions -H 'Content-Type: application/json' \
  -d '{{"login":"{login}","pin":"{pin}"}}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

curl -sS -i {url}/v1/reports -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' -H "Idempotency-Key: $(date +%s%N)" \
  -d '{{"assignment_id":"{assignment}","captured_at":"'$(date -Iseconds)'","attested":true,
       "answers":{{"pain":4,"rescue":false,"temperature":36.8,"note":"A quiet day."}}}}'

As a nurse (login {nurse_login}, PIN {nurse_pin}): GET {url}/v1/projects/{STUDY}

Ctrl-C stops everything and leaves nothing behind."#,
        login = patient.login,
        pin = patient.pin,
        assignment = patient.assignment,
        nurse_login = nurse.login,
        nurse_pin = nurse.pin,
    );
}
