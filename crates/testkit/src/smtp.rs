//! A test double of a mail server. It delivers nothing and keeps a journal.

mod envelope;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use mailin::{Action, Response, SessionBuilder};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::journal::Journal;
use crate::script::Script;
use crate::server_task::{ANY_PORT, ServerTask, Stopped};
use envelope::{DISCONNECT, Envelope};

/// The most bytes that one connection may send.
const MAX_CONVERSATION: u64 = 16 * 1024 * 1024;

/// One mail whose text was received, accepted or refused.
#[derive(Debug, Clone)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Headers and body as sent, dots unstuffed.
    pub raw: String,
    /// The reply code after the text.
    pub answered: u16,
}

impl Mail {
    /// A header's value, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let (head, _) = self.split();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        unfolded.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    pub fn subject(&self) -> Option<String> {
        self.header("Subject")
    }

    pub fn message_id(&self) -> Option<String> {
        self.header("Message-ID")
    }

    /// The text after the headers, its transfer encoding left as it is.
    pub fn body(&self) -> &str {
        self.split().1
    }

    fn split(&self) -> (&str, &str) {
        self.raw.split_once("\r\n\r\n").unwrap_or((&self.raw, ""))
    }
}

/// How the sink handles a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// 250 after the text.
    Accept,
    /// 250, but this long after the text.
    AcceptAfter(Duration),
    /// 451 after the text: a temporary failure.
    FailForNow,
    /// 550 for the recipient: a permanent failure.
    RefuseRecipient,
    /// Closes the connection instead of answering the recipient's command.
    Disconnect,
}

#[derive(Debug)]
struct Shared {
    journal: Journal<Mail>,
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
        let listener = TcpListener::bind(self.address).await.context("bind the SMTP sink")?;
        self.address = listener.local_addr()?;
        let shared = Arc::clone(&self.shared);
        self.server = Some(ServerTask::spawn(|stopped| serve(listener, shared, stopped)));
        Ok(())
    }

    /// Closes the port and all connections, as if the mail server were down. The journal stays.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// The server's URL, for `EPRO_SMTP__URL`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// All mails whose text arrived, including the refused ones.
    pub fn journal(&self) -> &Journal<Mail> {
        &self.shared.journal
    }

    /// The accepted mails.
    pub fn accepted(&self) -> Vec<Mail> {
        let mut mails = self.shared.journal.all();
        mails.retain(|mail| mail.answered == 250);
        mails
    }

    /// Sets the behaviour from now on.
    pub fn respond_with(&self, behaviour: Behaviour) {
        self.shared.script.always(behaviour);
    }

    /// Uses each of these behaviours for one recipient, then the usual one again.
    pub fn respond_next(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.shared.script.next(behaviours);
    }

    /// Sets the behaviour for one recipient.
    pub fn respond_to(&self, recipient: &str, behaviour: Behaviour) {
        self.shared.script.recipient(recipient, behaviour);
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, stopped: Stopped) {
    let mut connections = JoinSet::new();
    let mut stopped = std::pin::pin!(stopped.wait());
    loop {
        tokio::select! {
            () = &mut stopped => return,
            Ok((stream, peer)) = listener.accept() => {
                connections.spawn(converse(stream, peer.ip(), Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, peer: IpAddr, shared: Arc<Shared>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(MAX_CONVERSATION));
    let delay = Arc::new(Mutex::new(Duration::ZERO));
    let mut session = SessionBuilder::new("smtp-sink").build(peer, Envelope::new(shared, Arc::clone(&delay)));
    send(&mut writer, &session.greeting()).await?;
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await? > 0 {
        let response = session.process(&line);
        let delay = delay.lock().map(|mut delay| std::mem::take(&mut *delay)).unwrap_or_default();
        tokio::time::sleep(delay).await;
        match response.action {
            Action::NoReply => {}
            Action::Reply => send(&mut writer, &response).await?,
            Action::Close if response.code == DISCONNECT => return Ok(()),
            Action::Close | Action::UpgradeTls => return send(&mut writer, &response).await,
        }
        line.clear();
    }
    Ok(())
}

async fn send(writer: &mut (impl AsyncWriteExt + Unpin), response: &Response) -> io::Result<()> {
    let mut reply = Vec::new();
    response.write_to(&mut reply)?;
    writer.write_all(&reply).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: [&str; 4] = ["EHLO phone", "MAIL FROM:<study@example.org>", "RCPT TO:<nurse@example.org>", "DATA"];
    const TEXT: &str =
        "Subject: A report\r\n is waiting\r\nMessage-ID: <1@example.org>\r\n\r\nPlease log in.\r\n..\r\n.";

    /// Sends the lines one by one and returns the last line of each reply.
    async fn dialogue(sink: &Sink, lines: &[&str]) -> anyhow::Result<Vec<String>> {
        let mut stream = BufReader::new(TcpStream::connect(sink.address).await?);
        let mut replies = Vec::new();
        for line in std::iter::once(None).chain(lines.iter().map(Some)) {
            if let Some(line) = line {
                stream.write_all(format!("{line}\r\n").as_bytes()).await?;
            }
            let mut reply = String::new();
            while stream.read_line(&mut reply).await? > 0
                && reply.lines().last().is_some_and(|l| l[3..].starts_with('-'))
            {}
            replies.push(reply.lines().last().unwrap_or_default().to_owned());
        }
        Ok(replies)
    }

    #[tokio::test]
    async fn a_mail_is_recorded_with_its_headers_and_body() -> anyhow::Result<()> {
        let sink = Sink::start().await?;
        let replies = dialogue(&sink, &[&MAIL[..], &[TEXT, "QUIT"]].concat()).await?;
        assert!(replies[5].starts_with("250"), "{replies:?}");

        let mail = sink.accepted().remove(0);
        assert_eq!(
            (mail.from.as_str(), mail.to.as_slice()),
            ("study@example.org", &["nurse@example.org".to_owned()][..])
        );
        assert_eq!(mail.subject().as_deref(), Some("A report is waiting"));
        assert_eq!(mail.message_id().as_deref(), Some("<1@example.org>"));
        assert_eq!(mail.body(), "Please log in.\r\n.\r\n");
        Ok(())
    }

    #[tokio::test]
    async fn a_failing_server_says_so_and_records_the_attempt() -> anyhow::Result<()> {
        let sink = Sink::start().await?;
        sink.respond_next([Behaviour::FailForNow, Behaviour::RefuseRecipient, Behaviour::Disconnect]);

        let replies = dialogue(&sink, &[&MAIL[..], &[TEXT]].concat()).await?;
        assert!(replies[5].starts_with("451"), "{replies:?}");
        let replies = dialogue(&sink, &MAIL[..3]).await?;
        assert!(replies[3].starts_with("550"), "{replies:?}");
        let replies = dialogue(&sink, &MAIL[..3]).await?;
        assert_eq!(replies[3], "", "the connection is cut");
        assert_eq!(sink.journal().all().len(), 1);
        assert!(sink.accepted().is_empty());
        Ok(())
    }

    #[tokio::test]
    async fn a_stopped_server_cuts_connections_and_comes_back_on_its_port() -> anyhow::Result<()> {
        let mut sink = Sink::start().await?;
        let mut open = BufReader::new(TcpStream::connect(sink.address).await?);
        open.read_line(&mut String::new()).await?;

        sink.stop().await;
        assert_eq!(open.read_line(&mut String::new()).await.unwrap_or(0), 0);
        assert!(TcpStream::connect(sink.address).await.is_err());
        sink.start_again().await?;
        assert!(dialogue(&sink, &["QUIT"]).await?[1].starts_with("221"));
        Ok(())
    }
}
