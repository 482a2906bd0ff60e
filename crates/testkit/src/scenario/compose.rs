//! The compose stack for scenarios, with real Jaeger, Mailpit and WireMock, and the ways to break it.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Child;

use super::fault::{Clock, Fault, Lock, Mail, Part, Setting, Sms};
use super::system::{AN_HOUR, System, WAITING};
use crate::client::{Client, plain_http};
use crate::compose::Compose;
use crate::jaeger::Jaeger;
use crate::otlp::Receiver;
use crate::poll;
use crate::proxy::Proxy;
use crate::stack::Service;
use crate::trace::Trace;

const PROJECT: &str = "epro-scenarios";
const OVERLAY: &str = "deploy/compose.scenarios.yml";

/// The name of this machine inside a container.
const HOST: &str = "host.docker.internal";
const OTLP_ENDPOINT: &str = "EPRO_TELEMETRY__ENDPOINT";
const SMTP_URL: &str = "EPRO_SMTP__URL";

/// The reply of a mail server that asks for the text of a mail.
const START_MAIL_INPUT: &str = "354 ";

/// The id of the stub that is added to those in WireMock's files.
const MAPPING: &str = "5d3a1c6e-0f0a-4c55-9d0e-00000000face";

/// The most time from the start of the last container until the gateway works.
const READY: Duration = Duration::from_mins(1);

const PSQL: [&str; 9] = ["psql", "-U", "postgres", "-d", "epro", "-v", "ON_ERROR_STOP=1", "-q", "-tA"];

/// The containers, and the proxies in front of them.
#[derive(Debug)]
pub struct Composed {
    compose: Compose,
    jaeger: Jaeger,
    gateway: SocketAddr,
    mailpit: SocketAddr,
    /// Forwards spans to Jaeger: those of the phone, and those of a service with clock skew.
    spans: Receiver,
    /// The proxy through which containers reach the receiver.
    spans_entry: Proxy,
    /// The proxy through which containers reach Mailpit.
    mail_entry: Option<Proxy>,
    /// The `psql` process that holds the lock.
    locker: Option<Child>,
}

impl Composed {
    async fn up(&self, name: &str) -> anyhow::Result<()> {
        self.compose.start_again(name).await?;
        self.wait_until_ready().await
    }

    async fn restart_with(&mut self, part: Part, variable: &str, value: Option<&str>) -> anyhow::Result<()> {
        let service = part.service().context("only services are configured")?;
        self.compose.restart_with(service.name(), variable, value).await?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let client = Client::new(&self.compose.gateway);
        let ask = async || Ok(client.get("/readyz", None).await.is_ok_and(|answer| answer.status == 200));
        ensure!(poll::until(READY, ask, |ready| *ready).await?, "the gateway is not ready after {READY:?}");
        Ok(())
    }

    /// Takes the lock in a `psql` session. It ends when its standard input is closed, also when this process dies.
    async fn lock(&mut self, lock: &Lock) -> anyhow::Result<()> {
        let mut psql = self.compose.exec_command("postgres", &PSQL)?;
        let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("start psql")?;
        let mut input = child.stdin.take().context("psql has no input")?;
        let output = child.stdout.take().context("psql has no output")?;
        input.write_all(format!("BEGIN; {}; SELECT 'locked';\n", lock.statement()?).as_bytes()).await?;
        let said = BufReader::new(output).lines().next_line().await?;
        ensure!(said.as_deref() == Some("locked"), "psql said {said:?}");
        child.stdin = Some(input);
        self.locker = Some(child);
        Ok(())
    }

    async fn unlock(&mut self) -> anyhow::Result<()> {
        let Some(mut locker) = self.locker.take() else { return Ok(()) };
        drop(locker.stdin.take());
        locker.wait().await.map(drop).context("end psql")
    }

    /// Overrides WireMock's answer; `None` removes the override.
    async fn answer_sms(&self, response: Option<Value>) -> anyhow::Result<()> {
        let mappings = format!("{}/__admin/mappings", self.compose.sms_provider);
        let request = match response {
            Some(response) => plain_http().post(mappings).json(&json!({
                "id": MAPPING, "priority": 1, "response": response,
                "request": {"method": "POST", "urlPathTemplate": "/2010-04-01/Accounts/{account}/Messages.json"},
            })),
            None => plain_http().request(Method::DELETE, format!("{mappings}/{MAPPING}")),
        };
        request.send().await.and_then(reqwest::Response::error_for_status).context("tell WireMock")?;
        Ok(())
    }

    /// Sends a service's spans through the receiver, which shifts their times.
    async fn put_clock_ahead(&mut self, clock: &Clock) -> anyhow::Result<()> {
        let service = clock.part.service().context("only services make spans")?;
        self.spans.set_clock_ahead(service.name(), clock.ahead());
        let endpoint = format!("http://{HOST}:{}", self.spans_entry.address().port());
        self.restart_with(clock.part, OTLP_ENDPOINT, Some(&endpoint)).await
    }

    async fn leave_mails_unanswered(&mut self) -> anyhow::Result<()> {
        let proxy = Proxy::start_on(everywhere(), self.mailpit).await?;
        proxy.fall_silent_after(START_MAIL_INPUT);
        let url = format!("smtp://{HOST}:{}", proxy.address().port());
        self.mail_entry = Some(proxy);
        self.restart_with(Part::NotifySvc, SMTP_URL, Some(&url)).await
    }
}

impl System for Composed {
    async fn start() -> anyhow::Result<Self> {
        let mut compose = Compose::new(PROJECT).await?;
        let [otlp, smtp] = compose.overlay(OVERLAY, ["OTLP_PORT", "SMTP_PORT"])?;
        compose.remove().await?;
        compose.build().await?;
        if let Err(error) = compose.up().await {
            compose.show_state().await;
            // The first error is the important one.
            let _ = compose.remove().await;
            return Err(error);
        }
        let spans = Receiver::forwarding_to(&format!("http://127.0.0.1:{otlp}")).await?;
        let spans_entry = Proxy::start_on(everywhere(), spans.grpc_address()).await?;
        let gateway = compose.gateway.trim_start_matches("http://").parse().context("read the gateway's address")?;
        Ok(Self {
            jaeger: Jaeger::new(&compose.jaeger),
            gateway,
            mailpit: (Ipv4Addr::LOCALHOST, smtp).into(),
            spans,
            spans_entry,
            mail_entry: None,
            locker: None,
            compose,
        })
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.compose.remove().await
    }

    async fn begin(&mut self, fault: &Fault) -> anyhow::Result<()> {
        match fault {
            Fault::Down(part) => self.compose.control("kill", name(*part)).await,
            Fault::Silent(part) => self.compose.control("pause", name(*part)).await,
            Fault::Killed(killed) => self.compose.control("kill", name(killed.part)).await,
            Fault::Lock(lock) => self.lock(lock).await,
            Fault::Sms(sms) => self.answer_sms(Some(answer(*sms))).await,
            Fault::Mail(Mail::Unanswered) => self.leave_mails_unanswered().await,
            Fault::Clock(clock) => self.put_clock_ahead(clock).await,
            Fault::Misconfigured(Setting { part, variable, value }) => {
                self.restart_with(*part, variable, Some(value)).await
            }
            Fault::Baggage(_) | Fault::Network(_) | Fault::Crowd(_) => Ok(()),
        }
    }

    async fn end(&mut self, fault: &Fault) -> anyhow::Result<()> {
        match fault {
            Fault::Down(part) => self.up(name(*part)).await,
            Fault::Silent(part) => self.compose.control("unpause", name(*part)).await,
            Fault::Killed(killed) => self.up(name(killed.part)).await,
            Fault::Lock(_) => self.unlock().await,
            Fault::Sms(_) => self.answer_sms(None).await,
            Fault::Mail(_) => {
                self.restart_with(Part::NotifySvc, SMTP_URL, None).await?;
                self.mail_entry = None;
                Ok(())
            }
            Fault::Clock(clock) => self.restart_with(clock.part, OTLP_ENDPOINT, None).await,
            Fault::Misconfigured(Setting { part, variable, .. }) => self.restart_with(*part, variable, None).await,
            Fault::Baggage(_) | Fault::Network(_) | Fault::Crowd(_) => Ok(()),
        }
    }

    async fn waiting(&self) -> anyhow::Result<usize> {
        let said = self.compose.exec("postgres", &[&PSQL[..], &["-c", WAITING]].concat()).await?;
        said.trim().parse().with_context(|| format!("psql said {said}"))
    }

    fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    fn otlp(&self) -> String {
        self.spans.http_endpoint()
    }

    /// Empty while Jaeger is down.
    async fn trace(&self, trace_id: &str) -> Trace {
        self.jaeger.trace(trace_id).await.unwrap_or_default()
    }

    async fn logs(&self) -> anyhow::Result<Vec<Value>> {
        let text = self.compose.logs(&Service::ALL.map(Service::name)).await?;
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    fn link(&self, trace_id: &str) -> Option<String> {
        Some(format!("{}/trace/{trace_id}", self.compose.jaeger))
    }
}

/// Any port on all addresses: containers do not come from the loopback address.
fn everywhere() -> SocketAddr {
    (Ipv4Addr::UNSPECIFIED, 0).into()
}

/// The service name in the compose file.
fn name(part: Part) -> &'static str {
    match (part, part.service()) {
        (_, Some(service)) => service.name(),
        (Part::Postgres, _) => "postgres",
        (Part::MailServer, _) => "mailpit",
        (Part::SmsProvider, _) => "sms-provider",
        _ => "jaeger",
    }
}

/// A response in WireMock's format.
fn answer(sms: Sms) -> Value {
    match sms {
        Sms::TooManyRequests => json!({"status": 429, "headers": {"Retry-After": AN_HOUR.to_string()}}),
        Sms::Reset => json!({"fault": "CONNECTION_RESET_BY_PEER"}),
        Sms::RejectNumber => json!({
            "status": 400, "headers": {"Content-Type": "application/json"},
            "jsonBody": {"code": 21211, "message": "The number is none.", "status": 400},
        }),
    }
}
