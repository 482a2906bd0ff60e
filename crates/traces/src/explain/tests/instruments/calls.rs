//! The spans of callers: of services, and of clients outside the system.

use serde_json::json;

use super::{Answer, Instruments, Place, code, status};
use crate::Kind;
use crate::explain::tests::plan::{Fault, Op, Outcome, Outside, What};

const REFUSED: &str =
    "connection error: desc = \"transport: Error while dialing: dial tcp 10.1.2.3:80: connect: connection refused\"";
const RESET: &str = "read tcp 10.1.2.3:80: read: connection reset by peer";
const TOO_LATE: &str = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";

impl Instruments<'_> {
    /// The span of the system's user, if that one makes spans.
    pub(in crate::explain::tests) fn app(&mut self, place: Place<'_>, outcome: Outcome, is_answered: bool) {
        let status = is_answered.then(|| status(outcome));
        let error = match outcome {
            Outcome::Well => None,
            Outcome::Deadline if !is_answered => Some("timeout".to_owned()),
            _ => Some(status.map_or_else(|| "connect".to_owned(), |status| status.to_string())),
        };
        let address = self.services[0].clone();
        let attributes = if self.is_new {
            json!({"http.request.method": "POST", "server.address": address, "http.response.status_code": status, "error.type": error})
        } else {
            json!({"http.method": "POST", "net.peer.name": address, "http.status_code": status})
        };
        self.span(place, Kind::Client, "POST", attributes);
        match error.as_deref() {
            None => {}
            Some("timeout") => self.fail(TOO_LATE),
            Some("connect") => self.fail("dial tcp: i/o timeout"),
            Some(_) => self.fail(""),
        }
    }

    pub(in crate::explain::tests) fn client(&mut self, place: Place<'_>, op: &Op, outcome: Outcome) {
        let What::Call { rpc, .. } = op.what else { unreachable!("it is a call") };
        if rpc { self.rpc_client(place, op, outcome) } else { self.http_client(place, op, outcome) }
    }

    fn rpc_client(&mut self, place: Place<'_>, op: &Op, outcome: Outcome) {
        let What::Call { to, method, .. } = op.what else { unreachable!("it is a call") };
        let peer = self.services[to].clone();
        let to_nobody = op.fault == Some(Fault::Connect);
        let (number, code) = code(outcome);
        let is_failure = number != 0 && !matches!(number, 3 | 5 | 6 | 7 | 9 | 16);
        let error = is_failure.then_some(if to_nobody { "connect" } else { code });
        let attributes = if self.is_new {
            json!({"rpc.system.name": "grpc", "rpc.method": method, "service.peer.name": peer,
                   "server.address": "10.1.2.3", "rpc.status_code": code, "error.type": error})
        } else {
            json!({"rpc.system": "grpc", "rpc.method": method, "net.peer.name": peer, "peer.service": peer,
                   "rpc.grpc.status_code": number})
        };
        self.span(place, Kind::Client, method, attributes);
        // Older libraries mark the caller's span as failed when it was refused.
        if is_failure || number != 0 && !self.is_new {
            self.fail(if to_nobody { REFUSED } else { "" });
        }
    }

    fn http_client(&mut self, place: Place<'_>, op: &Op, outcome: Outcome) {
        let What::Call { to, method, .. } = op.what else { unreachable!("it is a call") };
        let peer = self.services[to].clone();
        let (error, words) = match (op.fault, outcome) {
            (_, Outcome::Well) => (None, ""),
            (_, Outcome::Deadline) => (Some("timeout"), TOO_LATE),
            (_, Outcome::Cancelled) => (Some("cancelled"), "context canceled"),
            (Some(Fault::Connect), _) => (Some("connect"), REFUSED),
            (Some(Fault::Gone | Fault::Lost), _) => (Some("request"), RESET),
            _ => (None, ""),
        };
        let status = error.is_none().then(|| status(outcome));
        let error =
            error.map(ToOwned::to_owned).or(status.filter(|status| *status >= 400).map(|status| status.to_string()));
        let attributes = if self.is_new {
            json!({"http.request.method": "POST", "service.peer.name": peer, "server.address": peer,
                   "http.response.status_code": status, "error.type": error})
        } else {
            json!({"http.method": "POST", "net.peer.name": peer, "peer.service": peer, "http.status_code": status})
        };
        self.span(place, Kind::Client, method, attributes);
        if outcome != Outcome::Well {
            self.fail(words);
        }
    }

    pub(in crate::explain::tests) fn outside(&mut self, place: Place<'_>, by: Outside, peer: &str, answer: Answer) {
        match by {
            Outside::Smtp => self.mail(place, peer, answer),
            Outside::Rpc => self.bank(place, peer, answer),
            Outside::Http => self.provider(place, peer, answer),
        }
    }

    fn bank(&mut self, place: Place<'_>, peer: &str, answer: Answer) {
        let (mut number, mut name) = code(answer.outcome);
        let to_nobody = answer.fault == Some(Fault::Connect);
        // The call fails in one of several ways.
        if number == 14 && matches!(answer.fault, Some(Fault::Fail(way)) if way % 3 > 0) {
            (number, name) = (13, "INTERNAL");
        }
        let error = (number != 0).then_some(if to_nobody { "connect" } else { name });
        let attributes = if self.is_new {
            json!({"rpc.system.name": "grpc", "rpc.method": "bank.v1.Bank/Charge", "server.address": peer,
                   "rpc.status_code": name, "error.type": error})
        } else {
            json!({"rpc.system": "grpc", "rpc.service": "bank.v1.Bank", "rpc.method": "Charge",
                   "net.peer.name": peer, "rpc.grpc.status_code": number})
        };
        self.span(place, Kind::Client, "bank.v1.Bank/Charge", attributes);
        if number != 0 {
            self.fail(if to_nobody { "dial tcp: lookup bank: no such host" } else { "" });
        }
    }

    fn provider(&mut self, place: Place<'_>, peer: &str, answer: Answer) {
        let (error, words, status) = match (answer.outcome, answer.fault) {
            (Outcome::Well, _) => (None, "", Some(201)),
            (Outcome::Deadline, _) => {
                (Some(if self.is_new { "cancelled" } else { "timeout" }), "context deadline exceeded", None)
            }
            (Outcome::Cancelled, _) => (Some("cancelled"), "context canceled", None),
            (_, Some(Fault::Connect)) => (Some("connect"), REFUSED, None),
            (_, Some(Fault::Fail(way))) if way % 3 == 0 => (Some("request"), RESET, None),
            (_, Some(Fault::Fail(way))) => (None, "", Some([500, 502][way as usize % 2])),
            (outcome, _) => (None, "", Some(status(outcome))),
        };
        let error =
            error.map(ToOwned::to_owned).or(status.filter(|status| *status >= 400).map(|status| status.to_string()));
        let attributes = if self.is_new {
            json!({"http.request.method": "POST", "server.address": peer, "url.template": "/pay",
                   "http.response.status_code": status, "error.type": error})
        } else {
            json!({"http.method": "POST", "net.peer.name": peer, "http.url": format!("https://{peer}/pay"),
                   "http.status_code": status})
        };
        self.span(place, Kind::Client, "POST /pay", attributes);
        if answer.outcome != Outcome::Well {
            self.fail(words);
        }
    }

    fn mail(&mut self, place: Place<'_>, peer: &str, answer: Answer) {
        let (error, words) = match (answer.outcome, answer.fault) {
            (Outcome::Well, _) => (None, ""),
            (Outcome::Deadline | Outcome::Cancelled, _) => (Some("cancelled"), "context deadline exceeded"),
            (_, Some(Fault::Connect)) => (Some("connection"), "dial tcp 10.0.0.9:587: connect: connection refused"),
            (Outcome::Refused(_), _) => (Some("550"), "550 5.1.1 no such user"),
            _ => (Some("421"), "421 4.3.2 service not available"),
        };
        let attributes = if self.is_new {
            json!({"network.protocol.name": "smtp", "server.address": peer, "server.port": 25, "error.type": error})
        } else {
            json!({"net.peer.name": peer, "net.peer.port": 587})
        };
        let name = if self.is_new { "SMTP submit" } else { "smtp.send" };
        self.span(place, Kind::Client, name, attributes);
        if error.is_some() {
            self.fail(words);
        }
    }
}
