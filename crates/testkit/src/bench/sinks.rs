//! Cheap receivers of spans, SMS and mail in a process of their own, so that their costs are not added to those of the
//! services.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{sleep, timeout};
use tonic::transport::server::TcpIncoming;
use uuid::Uuid;

use crate::otlp::trace_service;
use crate::poll;
use crate::server_task::ANY_PORT;

/// How long to wait for an answer of the sinks' process.
const ANSWER: Duration = Duration::from_secs(20);

/// Where the sinks listen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Addresses {
    pub(super) otlp: SocketAddr,
    pub(super) sms: SocketAddr,
    pub(super) smtp: SocketAddr,
}

/// What has arrived since the last time.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Arrived {
    pub(super) spans: u64,
    pub(super) messages: u64,
    /// When the latest message of each report arrived, in microseconds since 1970, by report id.
    pub(super) last: HashMap<Uuid, u64>,
}

/// The sinks' process. Dropping it ends the process.
#[derive(Debug)]
pub(super) struct Sinks {
    pub(super) addresses: Addresses,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Sinks {
    /// Starts a program that only runs [`serve`].
    pub(super) async fn start(mut program: Command) -> anyhow::Result<Self> {
        let mut process = program
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("start the sinks")?;
        let commands = process.stdin.take().context("stdin is piped")?;
        let mut answers = BufReader::new(process.stdout.take().context("stdout is piped")?).lines();
        let addresses = serde_json::from_str(&line(&mut answers).await?)?;
        Ok(Self { addresses, commands, answers, _process: process })
    }

    /// Takes what has arrived since the last time, and waits until nothing more arrives for `quiet`.
    pub(super) async fn take_all(&mut self, quiet: Duration) -> anyhow::Result<Arrived> {
        let mut all = self.take().await?;
        loop {
            sleep(quiet).await;
            let more = self.take().await?;
            if (more.spans, more.messages) == (0, 0) {
                return Ok(all);
            }
            all.spans += more.spans;
            all.messages += more.messages;
            all.last.extend(more.last);
        }
    }

    /// Waits until spans have arrived.
    pub(super) async fn wait_for_spans(&mut self) -> anyhow::Result<()> {
        let arrived = poll::until(ANSWER, async || self.take().await, |arrived| arrived.spans > 0).await?;
        ensure!(arrived.spans > 0, "no span has come within {ANSWER:?}");
        Ok(())
    }

    async fn take(&mut self) -> anyhow::Result<Arrived> {
        self.commands.write_all(b"\n").await.context("ask the sinks")?;
        Ok(serde_json::from_str(&line(&mut self.answers).await?)?)
    }
}

async fn line(lines: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<String> {
    timeout(ANSWER, lines.next_line()).await.context("the sinks say nothing")??.context("the sinks have ended")
}

type Shared = Arc<Mutex<Arrived>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Arrived> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the sinks until standard input ends. Prints a line with their addresses, and then, for each line of input, a
/// line with what has arrived.
///
/// # Errors
/// When no port can be bound.
pub async fn serve() -> anyhow::Result<()> {
    let shared = Shared::default();
    let (otlp, sms, smtp) = (bind().await?, bind().await?, bind().await?);
    let addresses = Addresses { otlp: otlp.local_addr()?, sms: sms.local_addr()?, smtp: smtp.local_addr()? };
    println!("{}", serde_json::to_string(&addresses)?);

    let counted = Arc::clone(&shared);
    let service = trace_service(move |request| count(&counted, &request));
    let spans = tonic::transport::Server::builder().add_service(service).serve_with_incoming(TcpIncoming::from(otlp));
    let router = axum::Router::new().fallback(post(take_sms)).with_state(Arc::clone(&shared));
    let commands = async {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while lines.next_line().await?.is_some() {
            let arrived = std::mem::take(&mut *lock(&shared));
            println!("{}", serde_json::to_string(&arrived)?);
        }
        anyhow::Ok(())
    };
    tokio::select! {
        served = spans => served.context("serve OTLP"),
        served = axum::serve(sms, router) => served.context("serve SMS"),
        () = take_mails(smtp, Arc::clone(&shared)) => Ok(()),
        done = commands => done,
    }
}

async fn bind() -> anyhow::Result<TcpListener> {
    TcpListener::bind(ANY_PORT).await.context("bind a sink")
}

fn count(shared: &Shared, request: &ExportTraceServiceRequest) {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    lock(shared).spans += scopes.map(|scope| scope.spans.len() as u64).sum::<u64>();
}

async fn take_sms(State(shared): State<Shared>, body: String) -> impl IntoResponse {
    note(&shared, &body);
    (StatusCode::CREATED, [(header::CONTENT_TYPE, "application/json")], r#"{"sid":"SM1","status":"queued"}"#)
}

/// Records a message. The link at its end names the report.
fn note(shared: &Shared, text: &str) {
    let is_part = |character: char| character.is_ascii_hexdigit() || character == '-';
    let mut words = text.rsplit(|character| !is_part(character)).filter(|word| word.len() >= 36);
    // In an encoded form the slash before the id is `%2F`, and its `2F` looks like a part of the id.
    let id = words.find_map(|word| word[word.len() - 36..].parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut arrived = lock(shared);
    arrived.messages += 1;
    if let Some(id) = id {
        arrived.last.insert(id, u64::try_from(now.as_micros()).unwrap_or(u64::MAX));
    }
}

async fn take_mails(listener: TcpListener, shared: Shared) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // It does not matter here when a client disconnects.
            let _ = converse(stream, &shared).await;
        });
    }
}

/// A minimal SMTP server (RFC 5321), for clients that make no mistakes.
async fn converse(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 sink.example.org\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let reply = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    // A `=` at the end of a quoted-printable line continues it.
                    text.push_str(line.strip_suffix('=').unwrap_or(&line));
                    if !line.ends_with('=') {
                        text.push('\n');
                    }
                }
                note(shared, &text);
                "250 taken\r\n"
            }
            "QUIT" => return writer.write_all(b"221 bye\r\n").await,
            _ => "250 ok\r\n",
        };
        writer.write_all(reply.as_bytes()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_about_the_report_that_it_links_to() {
        let id = "5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e01";
        for text in [
            format!("To=%2B1555&Body=News%3A+https%3A%2F%2Fstudy.example.org%2Freports%2F{id}"),
            format!(
                "Message-ID: <0f0a5d3a-1c6e-4c55-9d0e-7a1b2c3d4e02@example.org>\n\nSee https://example.org/reports/{id}\n"
            ),
        ] {
            let shared = Shared::default();
            note(&shared, &text);
            let arrived = lock(&shared);
            assert_eq!((arrived.messages, arrived.last.keys().next()), (1, Some(&id.parse().unwrap())), "{text}");
        }
    }
}
