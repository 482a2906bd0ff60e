//! A test double of an SMS provider with the API of Twilio's message resource. It sends nothing and keeps a journal.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Form, Json, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;

use crate::journal::Journal;
use crate::script::Script;
use crate::server_task::{ANY_PORT, ServerTask};

/// One request to send a message, accepted or refused.
#[derive(Debug, Clone)]
pub struct Message {
    pub to: String,
    pub from: String,
    pub body: String,
    pub account: String,
    /// Header `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    pub headers: HeaderMap,
    /// The status of the answer; none when the connection was left open or closed without one.
    pub answered: Option<u16>,
}

/// How the sink handles a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// 201 with a `sid` that depends on the idempotency key alone.
    Accept,
    /// As `Accept`, but after a delay, which may exceed the sender's timeout.
    AcceptAfter(Duration),
    /// This status with the provider's error document. The document of a 400 says that the number is invalid.
    Refuse(u16),
    /// 400 for an invalid number, after a delay.
    RefuseAfter(Duration),
    /// 400 with the provider's code for an invalid sender.
    RefuseSender,
    /// 429 with `Retry-After`, in seconds.
    TooManyRequests { retry_after: u64 },
    /// Closes the connection without an answer.
    Disconnect,
    /// Never answers.
    Hang,
}

#[derive(Debug)]
struct Shared {
    journal: Journal<Message>,
    script: Script<Behaviour>,
}

/// The sink. Its port is free again when it is dropped.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: Option<ServerTask>,
}

impl Sink {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> anyhow::Result<Self> {
        let shared = Arc::new(Shared { journal: Journal::default(), script: Script::new(Behaviour::Accept) });
        let mut sink = Self { address: ANY_PORT, shared, server: None };
        sink.start_again().await?;
        Ok(sink)
    }

    /// Listens on the same port as before [`Sink::stop`].
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let listener = TcpListener::bind(self.address).await.context("bind the SMS sink")?;
        self.address = listener.local_addr()?;
        let router = Router::new()
            .route("/2010-04-01/Accounts/{account}/Messages.json", post(create_message))
            .with_state(Arc::clone(&self.shared));
        self.server = Some(ServerTask::http(listener, router));
        Ok(())
    }

    /// Closes the port, as if the provider were down. The journal stays.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// The base URL, for `EPRO_SMS__URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests, including the refused ones.
    pub fn journal(&self) -> &Journal<Message> {
        &self.shared.journal
    }

    /// The accepted messages.
    pub fn accepted(&self) -> Vec<Message> {
        let mut messages = self.shared.journal.all();
        messages.retain(|message| message.answered == Some(201));
        messages
    }

    /// Sets the behaviour from now on.
    pub fn respond_with(&self, behaviour: Behaviour) {
        self.shared.script.always(behaviour);
    }

    /// Uses each of these behaviours for one request, then the usual one again.
    pub fn respond_next(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.shared.script.next(behaviours);
    }

    /// Sets the behaviour for one recipient.
    pub fn respond_to(&self, recipient: &str, behaviour: Behaviour) {
        self.shared.script.recipient(recipient, behaviour);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MessageForm {
    to: String,
    from: String,
    body: String,
}

async fn create_message(
    State(shared): State<Arc<Shared>>,
    Path(account): Path<String>,
    headers: HeaderMap,
    Form(form): Form<MessageForm>,
) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let authenticated = text(header::AUTHORIZATION.as_str()).is_some_and(|value| value.starts_with("Basic "));
    let behaviour = if authenticated { shared.script.answer_to(&form.to) } else { Behaviour::Refuse(401) };
    let idempotency_key = text("idempotency-key");
    shared.journal.record(Message {
        to: form.to,
        from: form.from,
        body: form.body,
        account,
        idempotency_key: idempotency_key.clone(),
        headers,
        answered: status(behaviour),
    });
    if let Behaviour::AcceptAfter(delay) | Behaviour::RefuseAfter(delay) = behaviour {
        tokio::time::sleep(delay).await;
    }
    answer(behaviour, idempotency_key).await
}

fn status(behaviour: Behaviour) -> Option<u16> {
    match behaviour {
        Behaviour::Accept | Behaviour::AcceptAfter(_) => Some(201),
        Behaviour::Refuse(status) => Some(status),
        Behaviour::RefuseAfter(_) | Behaviour::RefuseSender => Some(400),
        Behaviour::TooManyRequests { .. } => Some(429),
        Behaviour::Disconnect | Behaviour::Hang => None,
    }
}

async fn answer(behaviour: Behaviour, idempotency_key: Option<String>) -> Response {
    match behaviour {
        Behaviour::Accept | Behaviour::AcceptAfter(_) => {
            let id = idempotency_key.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
            (StatusCode::CREATED, Json(json!({"sid": format!("SM{}", id.replace('-', "")), "status": "queued"})))
                .into_response()
        }
        Behaviour::Refuse(400) | Behaviour::RefuseAfter(_) => refusal(400, Some(21211)).into_response(),
        Behaviour::Refuse(status) => refusal(status, None).into_response(),
        Behaviour::RefuseSender => refusal(400, Some(21212)).into_response(),
        Behaviour::TooManyRequests { retry_after } => {
            ([(header::RETRY_AFTER, retry_after.to_string())], refusal(429, None)).into_response()
        }
        // Ends the connection's task, so that the connection is closed. `resume_unwind` prints no panic message.
        Behaviour::Disconnect => std::panic::resume_unwind(Box::new("disconnect")),
        Behaviour::Hang => std::future::pending().await,
    }
}

fn refusal(status: u16, code: Option<u32>) -> (StatusCode, Json<serde_json::Value>) {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(json!({"status": status.as_u16(), "code": code, "message": status.canonical_reason()})))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::plain_http;

    async fn send(sink: &Sink, to: &str) -> reqwest::Result<reqwest::Response> {
        plain_http()
            .post(format!("{}/2010-04-01/Accounts/AC1/Messages.json", sink.url()))
            .basic_auth("AC1", Some("token"))
            .header("Idempotency-Key", "7c1c0d3e-0000-4000-8000-000000000001")
            .form(&[("To", to), ("From", "+15555550100"), ("Body", "A report is waiting.")])
            .send()
            .await
    }

    #[tokio::test]
    async fn an_accepted_message_is_in_the_journal() -> anyhow::Result<()> {
        let sink = Sink::start().await?;
        let first: serde_json::Value = send(&sink, "+4915555500101").await?.json().await?;
        let again: serde_json::Value = send(&sink, "+4915555500101").await?.json().await?;

        assert_eq!(first["sid"], again["sid"], "the same key is the same message");
        let messages = sink.journal().wait_until(Duration::from_secs(1), |messages| messages.len() == 2).await?;
        assert_eq!(messages[0].to, "+4915555500101");
        assert_eq!(messages[0].account, "AC1");
        assert_eq!(messages[0].body, "A report is waiting.");
        Ok(())
    }

    #[tokio::test]
    async fn a_request_without_credentials_is_refused() -> anyhow::Result<()> {
        let sink = Sink::start().await?;
        let response = plain_http()
            .post(format!("{}/2010-04-01/Accounts/AC1/Messages.json", sink.url()))
            .form(&[("To", "+1"), ("From", "+2"), ("Body", "-")])
            .send()
            .await?;
        assert_eq!(response.status(), 401);
        assert_eq!(sink.journal().all()[0].answered, Some(401));
        Ok(())
    }

    #[tokio::test]
    async fn a_script_is_played_once_and_a_recipient_keeps_its_own_answer() -> anyhow::Result<()> {
        let sink = Sink::start().await?;
        sink.respond_next([Behaviour::TooManyRequests { retry_after: 2 }, Behaviour::Disconnect]);
        sink.respond_to("+10", Behaviour::Refuse(400));

        let limited = send(&sink, "+1").await?;
        assert_eq!((limited.status().as_u16(), limited.headers()["retry-after"].to_str()?), (429, "2"));
        assert!(send(&sink, "+1").await.is_err(), "the connection is cut");
        assert_eq!(send(&sink, "+10").await?.status(), 400);
        assert_eq!(send(&sink, "+1").await?.status(), 201);
        assert_eq!(sink.accepted().len(), 1);
        Ok(())
    }

    #[tokio::test]
    async fn a_stopped_provider_refuses_connections_until_it_is_back() -> anyhow::Result<()> {
        let mut sink = Sink::start().await?;
        let url = sink.url();
        sink.stop().await;
        assert!(send(&sink, "+1").await.is_err_and(|error| error.is_connect()));
        sink.start_again().await?;
        assert_eq!(send(&sink, "+1").await?.status(), 201);
        assert_eq!(sink.url(), url);
        Ok(())
    }
}
