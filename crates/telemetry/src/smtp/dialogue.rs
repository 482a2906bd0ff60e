//! One mail's way to a server, command by command: only so it is known what a failure leaves open.

use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Severity;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Command, Error, Server};

/// How long a goodbye may take. What has become of the mail is known by then.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

/// Hands a mail over; on success the server is answerable for it.
pub(super) async fn submit(server: &Server, message: &Message) -> Result<(), Error> {
    let text = message.formatted();
    let deadline = Instant::now() + server.timeout;
    let connected = timeout_at(deadline, connect(server)).await.map_err(|_| Error::Timeout)?;
    let mut connection = connected.map_err(|error| Error::new(Command::Session, &error))?;
    let announced = timeout_at(deadline, announce(&mut connection, message, &text)).await;
    if let Err(error) = announced.unwrap_or(Err(Error::Timeout)) {
        if matches!(error, Error::Refused { .. } | Error::Unable) {
            leave(connection).await;
        }
        return Err(error);
    }
    let answer = match timeout(server.answer_timeout, connection.message(&text)).await {
        Ok(Ok(reply)) if reply.code().severity == Severity::PositiveCompletion => Ok(()),
        Ok(Err(error)) => Err(Error::new(Command::Text, &error)),
        Ok(Ok(_)) | Err(_) => Err(Error::Unanswered),
    };
    if answer != Err(Error::Unanswered) {
        leave(connection).await;
    }
    answer
}

async fn connect(server: &Server) -> Result<AsyncSmtpConnection, smtp::Error> {
    let wrapper = match &server.tls {
        Tls::Wrapper(parameters) => Some(parameters.clone()),
        Tls::None | Tls::Opportunistic(_) | Tls::Required(_) => None,
    };
    let address = (server.host.as_str(), server.port);
    let hello_name = &server.hello_name;
    let limit = Some(server.timeout);
    let mut connection = AsyncSmtpConnection::connect_tokio1(address, limit, hello_name, wrapper, None).await?;
    match &server.tls {
        Tls::Required(parameters) => connection.starttls(parameters.clone(), hello_name).await?,
        Tls::Opportunistic(parameters) if connection.can_starttls() => {
            connection.starttls(parameters.clone(), hello_name).await?;
        }
        Tls::None | Tls::Wrapper(_) | Tls::Opportunistic(_) => {}
    }
    if let Some(credentials) = &server.credentials {
        connection.auth(DEFAULT_MECHANISMS, credentials).await?;
    }
    Ok(connection)
}

/// Everything up to the text.
async fn announce(connection: &mut AsyncSmtpConnection, message: &Message, text: &[u8]) -> Result<(), Error> {
    let envelope = message.envelope();
    let mut addresses = envelope.from().into_iter().chain(envelope.to());
    let mut parameters = Vec::new();
    // RFC 6531, section 3.5, and RFC 6152: not to a server that does not offer it.
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
    // Whoever sends the text unasked has it taken for commands.
    if reply.has_code(354) { Ok(()) } else { Err(Error::Connection) }
}

/// Says goodbye as it should be, but not at any price.
async fn leave(mut connection: AsyncSmtpConnection) {
    let _ = timeout(GOODBYE, connection.abort()).await;
}
