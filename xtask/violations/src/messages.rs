//! Mail that would be sent without a span.

use lettre::address::Envelope;
use lettre::transport::smtp::client::{AsyncSmtpConnection, SmtpConnection};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, SmtpTransport, Tokio1Executor, Transport};

pub async fn send(transport: &AsyncSmtpTransport<Tokio1Executor>, mail: Message) {
    drop(transport.send(mail).await);
}

pub async fn send_raw(transport: &AsyncSmtpTransport<Tokio1Executor>, envelope: &Envelope, mail: &[u8]) {
    drop(transport.send_raw(envelope, mail).await);
}

pub fn blocking_send(transport: &SmtpTransport, mail: &Message) {
    drop(transport.send(mail));
}

pub fn blocking_send_raw(transport: &SmtpTransport, envelope: &Envelope, mail: &[u8]) {
    drop(transport.send_raw(envelope, mail));
}

pub async fn connect_smtp(server: (&str, u16), name: &ClientId) {
    drop(AsyncSmtpConnection::connect_tokio1(server, None, name, None, None).await);
}

pub fn blocking_connect_smtp(server: (&str, u16), name: &ClientId) {
    drop(SmtpConnection::connect(server, None, name, None, None));
}
