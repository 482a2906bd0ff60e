use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::*;

const NURSE: &str = "nurse@example.org";
const LIMIT: Duration = Duration::from_secs(10);

fn message(email: &str, urgent: bool) -> Message {
    let contact = proto::user::Contact { email: Some(email.to_owned()), ..Default::default() };
    Message { key: "42".to_owned(), contact, urgent, text: "text".to_owned() }
}

/// A mail server that offers `extension` and answers the command `refused` with `refusal`, until its only client
/// disconnects. Returns what the client has sent.
async fn serve(listener: TcpListener, extension: &str, refused: &str, refusal: &str) -> Vec<String> {
    let (stream, _) = timeout(LIMIT, listener.accept()).await.unwrap().unwrap();
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 hello\r\n").await.unwrap();
    let mut told = Vec::new();
    let mut in_text = false;
    let mut line = String::new();
    while stream.read_line(&mut line).await.unwrap_or_default() > 0 {
        let command = line.split([' ', '\r']).next().unwrap_or_default();
        let answer = match command {
            _ if command == refused && (command == "." || !in_text) => refusal.to_owned(),
            "." => "250 stored".to_owned(),
            _ if in_text => String::new(),
            "EHLO" => format!("250-hello\r\n250 {extension}"),
            "AUTH" => "235 welcome".to_owned(),
            "DATA" => "354 go on".to_owned(),
            _ => "250 ok".to_owned(),
        };
        in_text = answer.starts_with("354") || (in_text && answer.is_empty());
        told.push(line.trim_end().to_owned());
        // The client may disconnect before it has read the last answer.
        if !answer.is_empty() && stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            break;
        }
        line.clear();
    }
    told
}

/// Sends one mail to such a server, with the URL that `url` makes from its address. Returns the outcome, and what the
/// server has received.
async fn send(
    url: impl Fn(SocketAddr) -> String,
    extension: &str,
    refused: &str,
    refusal: &str,
) -> (Outcome, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = url(listener.local_addr().unwrap());
    tokio::join!(send_to(url), serve(listener, extension, refused, refusal))
}

async fn send_to(url: String) -> Outcome {
    Email::new(&config(url)).unwrap().send(message(NURSE, false)).await
}

fn config(url: String) -> Config {
    Config {
        url: url.into(),
        from: "ePRO <epro@example.org>".to_owned(),
        hello_name: "notify.example.org".to_owned(),
        timeout: LIMIT,
        answer_timeout: LIMIT,
        concurrency: NonZeroUsize::MIN,
    }
}

fn plain(address: SocketAddr) -> String {
    format!("smtp://{address}")
}

#[tokio::test]
async fn a_password_of_the_url_is_used_before_the_mail() {
    let (outcome, told) = send(|address| format!("smtp://epro:s3cret@{address}"), "AUTH PLAIN", "", "").await;
    assert_eq!(outcome, Outcome::Delivered);
    // Base64 of "\0epro\0s3cret".
    assert_eq!(told[1], "AUTH PLAIN AGVwcm8AczNjcmV0", "{told:?}");
    assert!(told[2].starts_with("MAIL FROM"), "{told:?}");
}

#[tokio::test]
async fn where_tls_is_required_a_server_without_it_is_told_nothing() {
    let (outcome, told) = send(requiring_tls, "AUTH PLAIN", "", "").await;
    assert_ne!(outcome.provider_is_well(), Some(true));
    assert!(told.iter().all(|line| line.starts_with("EHLO") || line == "QUIT"), "{told:?}");
}

#[tokio::test]
async fn where_tls_is_required_it_is_asked_for_first() {
    let (outcome, told) = send(requiring_tls, "STARTTLS", "STARTTLS", "454 not now").await;
    assert_eq!(outcome, Outcome::ProviderError { retry_after: None });
    assert_eq!(told[1], "STARTTLS");
}

fn requiring_tls(address: SocketAddr) -> String {
    format!("smtp://epro:s3cret@{address}?tls=required")
}

#[tokio::test]
async fn a_password_that_is_refused_costs_no_mail() {
    let url = |address| format!("smtp://epro:s3cret@{address}");
    let (outcome, _) = send(url, "AUTH PLAIN", "AUTH", "535 who are you").await;
    assert_eq!(outcome, Outcome::ProviderError { retry_after: None });
}

#[tokio::test]
async fn a_mailbox_that_is_refused_is_refused_for_good_and_a_full_one_is_not() {
    for (refusal, expected) in [
        ("550 5.1.1 nobody", Outcome::Rejected),
        ("552 5.2.2 no room", Outcome::Deferred),
        ("550 5.4.5 enough for today", Outcome::Throttled { retry_after: None }),
    ] {
        let (outcome, _) = send(plain, "8BITMIME", "RCPT", refusal).await;
        assert_eq!(outcome, expected, "{refusal}");
    }
}

#[tokio::test]
async fn a_text_that_is_not_answered_may_have_been_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = Config { answer_timeout: Duration::from_millis(100), ..config(plain(listener.local_addr().unwrap())) };
    let email = Email::new(&config).unwrap();
    let (outcome, told) = tokio::join!(email.send(message(NURSE, false)), serve(listener, "8BITMIME", ".", ""));
    assert_eq!(outcome, Outcome::Uncertain);
    assert_eq!(told.last().map(String::as_str), Some("."));
}

#[tokio::test]
async fn a_server_is_told_our_name() {
    let (_, told) = send(plain, "8BITMIME", "", "").await;
    assert_eq!(told[0], "EHLO notify.example.org");
}

#[tokio::test]
async fn an_address_that_is_none_says_nothing_of_the_provider() {
    let email = Email::new(&config("smtp://127.0.0.1:1".to_owned())).unwrap();
    let outcome = email.send(message("nurse at example.org", false)).await;
    assert_eq!((outcome, outcome.provider_is_well()), (Outcome::Unaddressable, None));
}

#[tokio::test]
async fn a_server_that_will_have_none_of_us_costs_no_mail() {
    for (command, refusal) in [("EHLO", "554 no service"), ("MAIL", "530 who are you"), (".", "554 looks like spam")] {
        let (outcome, _) = send(plain, "8BITMIME", command, refusal).await;
        assert_eq!(outcome, Outcome::ProviderError { retry_after: None }, "{command}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_connection_that_failed() {
    assert_eq!(send_to("smtp://127.0.0.1:1".to_owned()).await, Outcome::Connection);
}

#[test]
fn a_line_break_in_an_address_makes_no_header() {
    let from: Mailbox = "ePRO <epro@example.org>".parse().unwrap();
    for address in ["nurse@example.org\r\nBcc: all@example.org", "nurse@example.org\nX: y", "a b@example.org"] {
        assert!(mail(from.clone(), message(address, false)).is_none(), "{address}");
    }
}

#[test]
fn urgent_news_says_so_in_the_subject() {
    let from: Mailbox = "ePRO <epro@example.org>".parse().unwrap();
    for (urgent, subject) in [(false, SUBJECT), (true, URGENT_SUBJECT)] {
        let mail = mail(from.clone(), message(NURSE, urgent)).unwrap();
        let text = String::from_utf8(mail.formatted()).unwrap();
        assert!(text.contains(&format!("\r\nSubject: {subject}\r\n")), "{text}");
        assert!(text.contains("Message-ID: <42@example.org>\r\n"), "{text}");
        assert!(text.contains("Auto-Submitted: auto-generated\r\n"), "nobody is to answer it by machine: {text}");
    }
}
