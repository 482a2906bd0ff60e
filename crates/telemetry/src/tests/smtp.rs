use std::net::SocketAddr;
use std::time::Duration;

use lettre::{AsyncSmtpTransport, Message, Tokio1Executor};
use opentelemetry::trace::SpanKind;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{Recorder, WORDS, assert_failed, assert_not_failed, attributes, text};
use crate::smtp::Mailer;

/// A mail server that answers every recipient with `to_recipient`.
async fn serve(to_recipient: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        converse(BufReader::new(stream), to_recipient).await
    });
    address
}

async fn converse(mut stream: BufReader<TcpStream>, to_recipient: &str) -> std::io::Result<()> {
    stream.write_all(b"220 hello\r\n").await?;
    let (mut line, mut in_data) = (String::new(), false);
    while stream.read_line(&mut line).await? > 0 {
        let answer = match line.split([' ', '\r']).next() {
            Some(".") => "250 stored",
            _ if in_data => "",
            Some("RCPT") => to_recipient,
            Some("DATA") => "354 go on",
            _ => "250 ok",
        };
        in_data = answer.starts_with("354") || (in_data && answer.is_empty());
        if !answer.is_empty() {
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        line.clear();
    }
    Ok(())
}

fn mailer(address: SocketAddr) -> Mailer {
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(address.port())
        .timeout(Some(Duration::from_secs(5)))
        .build();
    Mailer::new(transport, ("127.0.0.1".to_owned(), address.port()))
}

fn mail() -> Message {
    let message = Message::builder().from("shop@example.org".parse().unwrap());
    message.to(format!("{WORDS}@example.org").parse().unwrap()).subject(WORDS).body(WORDS.to_owned()).unwrap()
}

#[tokio::test]
async fn a_submission_shows_the_server_and_its_code_and_nothing_of_the_mail() {
    let mut recorder = Recorder::start();
    let address = serve("250 ok").await;
    mailer(address).send(mail()).await.unwrap();
    let span = recorder.only().await;
    assert_eq!((&*span.name, &span.span_kind), ("SMTP submit", &SpanKind::Client));
    assert_eq!(text(&span, "server.address"), "127.0.0.1");
    assert_eq!(attributes(&span)["server.port"], &i64::from(address.port()).into());
    assert_not_failed(&span);
    recorder.assert_discreet();
}

#[tokio::test]
async fn a_refused_recipient_is_a_permanent_failure_without_the_servers_words() {
    let mut recorder = Recorder::start();
    let address = serve("550 no mailbox Jane-Doe-feels-bad").await;
    assert!(mailer(address).send(mail()).await.unwrap_err().is_permanent());
    let span = recorder.only().await;
    assert_failed(&span, "550");
    recorder.assert_discreet();
}

#[tokio::test]
async fn a_full_mailbox_is_a_transient_failure() {
    let mut recorder = Recorder::start();
    assert!(mailer(serve("452 full").await).send(mail()).await.is_err());
    assert_failed(&recorder.only().await, "452");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failed_connection() {
    let mut recorder = Recorder::start();
    assert!(mailer("127.0.0.1:1".parse().unwrap()).send(mail()).await.is_err());
    assert_failed(&recorder.only().await, "connection");
}
