use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;

const NURSE: &str = "nurse@example.org";

fn message(email: &str, urgent: bool) -> Message {
    let contact = proto::user::Contact { email: email.to_owned(), ..Default::default() };
    Message { notification_id: "42".to_owned(), contact, urgent, text: "text".to_owned() }
}

/// A mail server that offers `extension` and answers the command `refused` with `refusal`; what it is told.
#[expect(clippy::disallowed_methods, reason = "the other side of the test")]
async fn serve(
    extension: &'static str,
    refused: &'static str,
    refusal: &'static str,
) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (told, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 hello\r\n").await.unwrap();
        let mut in_text = false;
        let mut line = String::new();
        while stream.read_line(&mut line).await.unwrap_or_default() > 0 {
            let command = line.split([' ', '\r']).next().unwrap_or_default();
            let answer = match command {
                "." => "250 stored".to_owned(),
                _ if in_text => String::new(),
                _ if command == refused => refusal.to_owned(),
                "EHLO" => format!("250-hello\r\n250 {extension}"),
                "AUTH" => "235 welcome".to_owned(),
                "DATA" => "354 go on".to_owned(),
                _ => "250 ok".to_owned(),
            };
            in_text = answer.starts_with("354") || (in_text && answer.is_empty());
            let _ = told.send(line.trim_end().to_owned());
            if !answer.is_empty() {
                stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
            }
            line.clear();
        }
    });
    (address, heard)
}

async fn send_to(url: String) -> Outcome {
    let config = Config {
        url,
        from: "ePRO <epro@example.org>".to_owned(),
        timeout: Duration::from_secs(10),
        concurrency: NonZeroUsize::MIN,
    };
    Email::new(&config).unwrap().send(message(NURSE, false)).await
}

fn all(mut heard: mpsc::UnboundedReceiver<String>) -> Vec<String> {
    std::iter::from_fn(|| heard.try_recv().ok()).collect()
}

#[tokio::test]
async fn a_password_of_the_url_is_used_before_the_mail() {
    let (address, heard) = serve("AUTH PLAIN", "", "").await;
    assert_eq!(send_to(format!("smtp://epro:s3cret@{address}")).await, Outcome::Delivered);
    let commands = all(heard);
    // Base64 of "\0epro\0s3cret".
    assert_eq!(commands[1], "AUTH PLAIN AGVwcm8AczNjcmV0", "{commands:?}");
    assert!(commands[2].starts_with("MAIL FROM"), "{commands:?}");
}

#[tokio::test]
async fn where_tls_is_required_a_server_without_it_is_told_nothing() {
    let (address, heard) = serve("AUTH PLAIN", "", "").await;
    assert!(send_to(format!("smtp://epro:s3cret@{address}?tls=required")).await.provider_is_well() != Some(true));
    let commands = all(heard);
    assert!(commands.iter().all(|line| line.starts_with("EHLO") || line == "QUIT"), "{commands:?}");
}

#[tokio::test]
async fn where_tls_is_required_it_is_asked_for_first() {
    let (address, heard) = serve("STARTTLS", "STARTTLS", "454 not now").await;
    assert_eq!(
        send_to(format!("smtp://epro:s3cret@{address}?tls=required")).await,
        Outcome::ProviderError { retry_after: None }
    );
    assert_eq!(all(heard)[1], "STARTTLS");
}

#[tokio::test]
async fn a_password_that_is_refused_costs_no_mail() {
    let (address, _heard) = serve("AUTH PLAIN", "AUTH", "535 who are you").await;
    let outcome = send_to(format!("smtp://epro:s3cret@{address}")).await;
    assert_eq!(outcome, Outcome::ProviderError { retry_after: None });
}

#[tokio::test]
async fn a_mailbox_that_is_refused_is_refused_for_good_and_a_full_one_is_not() {
    for (refusal, expected) in
        [("550 nobody", Outcome::Rejected), ("452 full", Outcome::ProviderError { retry_after: None })]
    {
        let (address, _heard) = serve("8BITMIME", "RCPT", refusal).await;
        assert_eq!(send_to(format!("smtp://{address}")).await, expected);
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
    }
}

#[test]
fn the_span_names_the_port_that_the_transport_takes() {
    for (url, port) in [
        ("smtp://mail.example.org", 25),
        ("smtp://mail.example.org?tls=required", 587),
        ("smtps://mail.example.org", 465),
        ("smtp://mail.example.org:1025?tls=required", 1025),
    ] {
        assert_eq!(server(&url.parse().unwrap()), ("mail.example.org".to_owned(), port), "{url}");
    }
}
