//! `cargo xtask demo`: runs the five services without Docker. On a terminal it lists traces as they arrive, and keys
//! send reports and make them fail. Without a terminal it prints text.

mod keys;
mod model;
mod page;
mod plain;
mod row;
mod session;
mod start;
mod terminal;
mod view;

use std::io::{IsTerminal, stdin, stdout};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use migrations::demo::{self, NURSES, PATIENTS, STUDY};
use testkit::otlp::Receiver;
use testkit::stack::{Builder, Service, Stack};

/// The most time to forward the last spans.
const DRAIN: Duration = Duration::from_secs(20);

#[derive(Args)]
pub(crate) struct Options {
    /// Submit one report, print its trace and end; exits 0 only if the trace is complete.
    #[arg(long)]
    once: bool,
    /// Prints one report's trace as text, and how to send another, also on a terminal.
    #[arg(long)]
    plain: bool,
    /// Uses the last build of the services.
    #[arg(long)]
    no_build: bool,
    /// Writes the trace as a picture, in SVG; plain.
    #[arg(long, value_name = "FILE")]
    waterfall: Option<PathBuf>,
    /// A service's port, such as `user-svc=50051`, or the gateway's alone, such as `8080`; may be
    /// repeated. Any free port for those not given.
    #[arg(long, value_name = "[SERVICE=]PORT", value_parser = port)]
    port: Vec<(Service, u16)>,
}

impl Options {
    fn is_live(&self) -> bool {
        let is_plain = self.plain || self.once || self.waterfall.is_some();
        let can_draw = || {
            let is_known = std::env::var_os("TERM").is_some_and(|terminal| terminal != "dumb");
            // A terminal that does not know its size is not used.
            is_known && crossterm::terminal::size().is_ok_and(|(columns, rows)| columns > 0 && rows > 0)
        };
        !is_plain && stdin().is_terminal() && stdout().is_terminal() && can_draw()
    }
}

fn port(text: &str) -> anyhow::Result<(Service, u16)> {
    let (name, port) = text.split_once('=').unwrap_or((Service::Gateway.name(), text));
    let service = Service::ALL.into_iter().find(|service| service.name() == name);
    Ok((service.with_context(|| format!("no service is named {name}"))?, port.parse()?))
}

/// Runs the five services as processes on a private Postgres with built-in SMS, mail and trace receivers.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    if options.is_live() { session::run(&options).await } else { plain::run(&options).await }
}

/// The stack with these options. Forwards spans to the user's own collector, if there is one.
async fn builder(options: &Options) -> anyhow::Result<Builder> {
    let receiver = match std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT") {
        Ok(endpoint) if !endpoint.is_empty() => Receiver::forwarding_to(&endpoint).await?,
        _ => Receiver::start().await?,
    };
    let stack = Stack::builder().receiver(receiver).env_all("EPRO_TELEMETRY__ENVIRONMENT", "demo").env(
        Service::Gateway,
        "EPRO_WEB__DEMO_LOGINS",
        demo::logins(),
    );
    Ok(options.port.iter().fold(stack, |stack, (service, port)| stack.port(*service, *port)))
}

/// Stops the services, then forwards their last spans.
async fn end(mut stack: Stack) -> anyhow::Result<()> {
    for service in Service::ALL.into_iter().rev() {
        stack.terminate(service).await?;
    }
    let missing = stack.otlp.drain(DRAIN).await;
    if missing > 0 {
        eprintln!(
            "{missing} batches of spans did not reach OTEL_EXPORTER_OTLP_ENDPOINT (it must speak OTLP over gRPC)"
        );
    }
    stack.stop().await.map(drop)
}

/// A curl command that sends a report to this gateway.
fn curl(url: &str) -> String {
    let (patient, nurse) = (&PATIENTS[0], &NURSES[0]);
    format!(
        r#"TOKEN=$(curl -sS {url}/v1/sessions -H 'Content-Type: application/json' \
  -d '{{"login":"{login}","pin":"{pin}"}}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

curl -sS -i {url}/v1/reports -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' -H "Idempotency-Key: $(date +%s%N)" \
  -d '{{"assignment_id":"{assignment}","captured_at":"'$(date -Iseconds)'","attested":true,
       "answers":{{"pain":4,"rescue":false,"temperature":36.8,"note":"A quiet day."}}}}'

As a nurse (login {nurse_login}, PIN {nurse_pin}): GET {url}/v1/studies/{STUDY}"#,
        login = patient.login,
        pin = patient.pin,
        assignment = patient.assignment,
        nurse_login = nurse.login,
        nurse_pin = nurse.pin,
    )
}
