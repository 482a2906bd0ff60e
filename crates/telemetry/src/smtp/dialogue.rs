//! The submission of one mail, command by command, to know whether a failed mail may have been taken.

use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Severity;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Command, Error, Server};
use crate::idle::Idle;

/// How long an unused connection is kept. Servers wait five minutes at least (RFC 5321, section 4.5.3.2.7).
pub(super) const KEPT: Duration = Duration::from_secs(20);
/// The most connections that are kept.
const MOST_KEPT: usize = 8;

/// RFC 5321, section 4.2.3: the server closes the connection. It may answer any command with this.
const CLOSING: u16 = 421;

/// The time limit of QUIT. By then the outcome of the mail is known.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

/// Submits a mail. On success the server has taken responsibility for it.
pub(super) async fn submit(server: &Server, idle: &Idle<AsyncSmtpConnection>, message: &Message) -> Result<(), Error> {
    let text = message.formatted();
    let deadline = Instant::now() + server.timeout;
    let reused = match idle.take() {
        Some(kept) => reuse(kept, server, message, &text).await?,
        None => None,
    };
    let mut connection = match reused {
        Some(connection) => connection,
        None => open(server, message, &text, deadline).await?,
    };
    match timeout(server.answer_timeout, connection.message(&text)).await {
        Ok(Ok(reply)) if reply.code().severity == Severity::PositiveCompletion => {
            if idle.keep(connection) > MOST_KEPT
                && let Some(surplus) = idle.take_oldest()
            {
                leave(surplus).await;
            }
            Ok(())
        }
        Ok(Err(error)) => {
            let error = Error::new(Command::Text, &error);
            if error != Error::Unanswered {
                leave(connection).await;
            }
            Err(error)
        }
        Ok(Ok(_)) | Err(_) => Err(Error::Unanswered),
    }
}

/// Announces the mail on a connection that has submitted another one before. `None` if the connection is no longer
/// usable: the server is silent, has closed it, or wants no more mails on it. The text has not been sent by then, so
/// the mail can safely be submitted on a new connection.
async fn reuse(
    mut kept: AsyncSmtpConnection,
    server: &Server,
    message: &Message,
    text: &[u8],
) -> Result<Option<AsyncSmtpConnection>, Error> {
    // The other half of the time is left for a new connection.
    let announced = timeout(server.timeout / 2, announce(&mut kept, message, text)).await;
    match announced.unwrap_or(Err(Error::Timeout)) {
        Ok(()) => Ok(Some(kept)),
        Err(error) if is_of_mail(error) => {
            leave(kept).await;
            Err(error)
        }
        Err(_) => Ok(None),
    }
}

/// Whether the error is about the mail, and would be the same on another connection.
fn is_of_mail(error: Error) -> bool {
    match error {
        Error::Refused { command: Command::Recipient | Command::Data, reply } => reply.code != CLOSING,
        Error::Unable => true,
        _ => false,
    }
}

/// Announces the mail on a connection of its own.
async fn open(
    server: &Server,
    message: &Message,
    text: &[u8],
    deadline: Instant,
) -> Result<AsyncSmtpConnection, Error> {
    let mut connection = timeout_at(deadline, connect(server)).await.map_err(|_| Error::Timeout)??;
    let announced = timeout_at(deadline, announce(&mut connection, message, text)).await;
    match announced.unwrap_or(Err(Error::Timeout)) {
        Ok(()) => Ok(connection),
        Err(error) => {
            if matches!(error, Error::Refused { .. } | Error::Unable) {
                leave(connection).await;
            }
            Err(error)
        }
    }
}

async fn connect(server: &Server) -> Result<AsyncSmtpConnection, Error> {
    let address = (server.host.as_str(), server.port);
    let (hello_name, refused) = (&server.hello_name, |error| Error::new(Command::Session, &error));
    if let Tls::Wrapper(parameters) = &server.tls {
        let (limit, parameters) = (Some(server.timeout), Some(parameters.clone()));
        let connection = AsyncSmtpConnection::connect_tokio1(address, limit, hello_name, parameters, None).await;
        return log_in(connection.map_err(refused)?, server).await;
    }
    let stream = TcpStream::connect(address).await.map_err(|_| Error::Connection)?;
    // lettre writes a text and its end separately; the end would wait up to 40 ms until the text is acknowledged.
    stream.set_nodelay(true).map_err(|_| Error::Connection)?;
    let connection = AsyncSmtpConnection::connect_with_transport(Box::new(stream), hello_name).await;
    let mut connection = connection.map_err(refused)?;
    match &server.tls {
        Tls::Required(parameters) => connection.starttls(parameters.clone(), hello_name).await.map_err(refused)?,
        Tls::Opportunistic(parameters) if connection.can_starttls() => {
            connection.starttls(parameters.clone(), hello_name).await.map_err(refused)?;
        }
        Tls::None | Tls::Wrapper(_) | Tls::Opportunistic(_) => {}
    }
    log_in(connection, server).await
}

async fn log_in(mut connection: AsyncSmtpConnection, server: &Server) -> Result<AsyncSmtpConnection, Error> {
    if let Some(credentials) = &server.credentials {
        let done = connection.auth(DEFAULT_MECHANISMS, credentials).await;
        done.map_err(|error| Error::new(Command::Session, &error))?;
    }
    Ok(connection)
}

/// Everything up to the text.
async fn announce(connection: &mut AsyncSmtpConnection, message: &Message, text: &[u8]) -> Result<(), Error> {
    let envelope = message.envelope();
    let mut addresses = envelope.from().into_iter().chain(envelope.to());
    let mut parameters = Vec::new();
    // RFC 6531, section 3.5, and RFC 6152: only to a server that offers the extension.
    for (needed, extension, parameter) in [
        (
            !addresses.all(|address| AsRef::<str>::as_ref(address).is_ascii()),
            Extension::SmtpUtfEight,
            MailParameter::SmtpUtfEight,
        ),
        (!text.is_ascii(), Extension::EightBitMime, MailParameter::Body(MailBodyParameter::EightBitMime)),
    ] {
        if needed && !connection.server_info().supports_feature(extension) {
            return Err(Error::Unable);
        }
        parameters.extend(needed.then_some(parameter));
    }
    let refused = |command| move |error| Error::new(command, &error);
    let mail = Mail::new(envelope.from().cloned(), parameters);
    connection.command(mail).await.map_err(refused(Command::Mail))?;
    for recipient in envelope.to() {
        let recipient = Rcpt::new(recipient.clone(), Vec::new());
        connection.command(recipient).await.map_err(refused(Command::Recipient))?;
    }
    let reply = connection.command(Data).await.map_err(refused(Command::Data))?;
    // Without a 354 the server would read the text as commands.
    if reply.has_code(354) { Ok(()) } else { Err(Error::Connection) }
}

/// Closes the session with QUIT, within a time limit.
pub(super) async fn leave(mut connection: AsyncSmtpConnection) {
    let _ = timeout(GOODBYE, connection.abort()).await;
}
