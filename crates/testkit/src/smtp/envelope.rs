//! Receives one mail.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailin::{Handler, Response, response};

use super::{Behaviour, Mail, Shared};

/// The SMTP code that closes a session. Nothing else here answers with it.
pub(super) const DISCONNECT: u16 = 421;

/// A mail that is being received.
pub(super) struct Envelope {
    shared: Arc<Shared>,
    from: String,
    to: Vec<String>,
    text: Vec<u8>,
    behaviour: Behaviour,
    /// The delay of the next answer.
    delay: Arc<Mutex<Duration>>,
}

impl Envelope {
    pub(super) fn new(shared: Arc<Shared>, delay: Arc<Mutex<Duration>>) -> Self {
        Self { delay, shared, from: String::new(), to: Vec::new(), text: Vec::new(), behaviour: Behaviour::Accept }
    }
}

impl Handler for Envelope {
    fn mail(&mut self, _peer: IpAddr, _domain: &str, from: &str) -> Response {
        from.clone_into(&mut self.from);
        self.to.clear();
        self.text.clear();
        response::OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        self.behaviour = self.shared.script.answer_to(to);
        self.to.push(to.to_owned());
        match self.behaviour {
            Behaviour::Accept | Behaviour::AcceptAfter(_) | Behaviour::FailForNow => response::OK,
            Behaviour::RefuseRecipient => response::NO_MAILBOX,
            Behaviour::Disconnect => response::NO_SERVICE,
        }
    }

    /// Called for each line.
    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        self.text.extend_from_slice(line);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let answer = match self.behaviour {
            Behaviour::FailForNow => response::INTERNAL_ERROR,
            Behaviour::AcceptAfter(wait) => {
                if let Ok(mut delay) = self.delay.lock() {
                    *delay = wait;
                }
                response::OK
            }
            _ => response::OK,
        };
        self.shared.journal.record(Mail {
            from: self.from.clone(),
            to: self.to.clone(),
            raw: String::from_utf8_lossy(&self.text).into_owned(),
            answered: answer.code,
        });
        answer
    }
}
