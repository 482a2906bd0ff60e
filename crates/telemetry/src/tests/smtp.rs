use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::client::Tls;
use lettre::transport::smtp::extension::ClientId;
use opentelemetry::trace::SpanKind;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{Recorder, WORDS, assert_failed, assert_not_failed, attributes, text};
use crate::smtp::{Command, EnhancedCode, Error, Mailer, Reply, Server};

/// A mail server that answers the command `command` with `reply`, or with nothing if that is empty, and hangs up
/// after "hang up".
async fn serve(command: &'static str, reply: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        converse(BufReader::new(stream), command, 1, reply).await
    });
    address
}

/// A mail server that answers `command` with `reply` when it comes a second time on a connection, and every time after.
/// Also the number of connections.
async fn serve_second(command: &'static str, reply: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move { converse(BufReader::new(stream), command, 2, reply).await });
        }
    });
    (address, connections)
}

/// `from` is the first time of the command that is answered with `reply`.
async fn converse(mut stream: BufReader<TcpStream>, command: &str, from: u32, reply: &str) -> std::io::Result<()> {
    stream.write_all(b"220 hello\r\n").await?;
    let (mut line, mut in_data, mut times) = (String::new(), false, 0);
    let mut is_due = |said: &str| {
        times += u32::from(said == command);
        said == command && times >= from
    };
    while stream.read_line(&mut line).await? > 0 {
        let answer = match line.split([' ', '\r']).next() {
            Some(said) if (said == "." || !in_data) && is_due(said) => reply,
            Some(".") => "250 stored",
            _ if in_data => "",
            Some("DATA") => "354 go on",
            _ => "250 ok",
        };
        in_data = answer.starts_with("354") || (in_data && answer.is_empty());
        match answer {
            "" => {}
            "hang up" => return Ok(()),
            _ => stream.write_all(format!("{answer}\r\n").as_bytes()).await?,
        }
        line.clear();
    }
    Ok(())
}

fn mailer(address: SocketAddr) -> Mailer {
    Mailer::new(server(address))
}

fn server(address: SocketAddr) -> Server {
    Server {
        host: "127.0.0.1".to_owned(),
        port: address.port(),
        tls: Tls::None,
        credentials: None,
        hello_name: ClientId::Domain("shop.example.org".to_owned()),
        timeout: Duration::from_secs(5),
        answer_timeout: Duration::from_millis(200),
    }
}

fn mail() -> Message {
    let message = Message::builder().from("shop@example.org".parse().unwrap());
    message.to(format!("{WORDS}@example.org").parse().unwrap()).subject(WORDS).body(WORDS.to_owned()).unwrap()
}

fn refused(command: Command, code: u16, enhanced: Option<EnhancedCode>) -> Result<(), Error> {
    Err(Error::Refused { command, reply: Reply { code, enhanced } })
}

#[tokio::test]
async fn a_submission_shows_the_server_and_its_code_and_nothing_of_the_mail() {
    let mut recorder = Recorder::start();
    let address = serve("RCPT", "250 ok").await;
    mailer(address).send(&mail()).await.unwrap();
    let span = recorder.only().await;
    assert_eq!((&*span.name, &span.span_kind), ("SMTP submit", &SpanKind::Client));
    assert_eq!(text(&span, "server.address"), "127.0.0.1");
    assert_eq!(attributes(&span)["server.port"], &i64::from(address.port()).into());
    assert_not_failed(&span);
    recorder.assert_discreet();
}

#[tokio::test]
async fn a_refused_recipient_is_told_from_a_refused_text_without_the_servers_words() {
    for (command, refused_at) in [("RCPT", Command::Recipient), (".", Command::Text)] {
        let mut recorder = Recorder::start();
        let address = serve(command, "550 5.1.1 no mailbox Jane-Doe-feels-bad").await;
        let enhanced = Some(EnhancedCode { class: 5, subject: 1, detail: 1 });
        assert_eq!(mailer(address).send(&mail()).await, refused(refused_at, 550, enhanced));
        let span = recorder.only().await;
        assert_failed(&span, "550");
        recorder.assert_discreet();
    }
}

#[tokio::test]
async fn a_full_mailbox_is_a_refusal_for_now() {
    let mut recorder = Recorder::start();
    let address = serve("RCPT", "452 full").await;
    assert_eq!(mailer(address).send(&mail()).await, refused(Command::Recipient, 452, None));
    assert_failed(&recorder.only().await, "452");
}

#[tokio::test]
async fn a_text_that_is_not_answered_may_have_been_taken() {
    for reply in ["", "hang up", "what?"] {
        let mut recorder = Recorder::start();
        assert_eq!(mailer(serve(".", reply).await).send(&mail()).await, Err(Error::Unanswered), "{reply}");
        assert_failed(&recorder.only().await, "unanswered");
    }
}

#[tokio::test]
async fn a_server_that_leaves_before_the_text_has_not_taken_it() {
    for command in ["EHLO", "MAIL", "RCPT", "DATA"] {
        let address = serve(command, "hang up").await;
        assert_eq!(mailer(address).send(&mail()).await, Err(Error::Connection), "{command}");
    }
}

#[tokio::test]
async fn mails_one_after_the_other_go_over_one_connection() {
    let (address, connections) = serve_second("nothing", "").await;
    let mailer = mailer(address);
    for _ in 0..5 {
        assert_eq!(mailer.send(&mail()).await, Ok(()));
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_kept_connection_that_is_good_for_nothing_any_more_costs_no_mail() {
    // Closed, silent, closing, full, and answering nonsense.
    for reply in ["hang up", "", "421 closing", "452 too many mails on this connection", "what?"] {
        let (address, connections) = serve_second("MAIL", reply).await;
        let mailer = Mailer::new(Server { timeout: Duration::from_millis(800), ..server(address) });
        assert_eq!(mailer.send(&mail()).await, Ok(()));
        assert_eq!(mailer.send(&mail()).await, Ok(()), "{reply}");
        assert_eq!(connections.load(Ordering::Relaxed), 2, "{reply}");
    }
}

#[tokio::test]
async fn what_a_server_says_of_a_mail_on_a_kept_connection_is_said_of_the_mail() {
    for (command, refused_at) in [("RCPT", Command::Recipient), (".", Command::Text)] {
        let (address, connections) = serve_second(command, "550 5.1.1 no mailbox").await;
        let mailer = mailer(address);
        assert_eq!(mailer.send(&mail()).await, Ok(()));
        let enhanced = Some(EnhancedCode { class: 5, subject: 1, detail: 1 });
        assert_eq!(mailer.send(&mail()).await, refused(refused_at, 550, enhanced));
        assert_eq!(connections.load(Ordering::Relaxed), 1);
        assert_eq!(mailer.send(&mail()).await, Ok(()));
        assert_eq!(connections.load(Ordering::Relaxed), 2, "after a refusal there is a new one");
    }
}

#[tokio::test]
async fn a_connection_whose_mail_was_given_up_takes_no_other() {
    let (address, connections) = serve_second(".", "").await;
    let mailer = mailer(address);
    assert_eq!(mailer.send(&mail()).await, Ok(()));
    let given_up = mail();
    assert!(timeout(Duration::from_millis(50), mailer.send(&given_up)).await.is_err());
    assert_eq!(mailer.send(&mail()).await, Ok(()));
    assert_eq!(connections.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failed_connection() {
    let mut recorder = Recorder::start();
    assert_eq!(mailer("127.0.0.1:1".parse().unwrap()).send(&mail()).await, Err(Error::Connection));
    assert_failed(&recorder.only().await, "connection");
}
