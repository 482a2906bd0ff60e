//! A miniature system. It runs a plan of work with a simulated clock, with or without propagated deadlines, and writes
//! spans in the current or in the previous conventions. It knows about faults, but not about their explanation.

use super::instruments::{Answer, Instruments, Place};
use super::plan::{Fault, Limit, MS, Micros, Op, Outcome, What};
use crate::Span;

/// The context of work: the service, the parent span, the start time and the deadline.
#[derive(Clone, Copy)]
struct Here<'p> {
    service: usize,
    parent: &'p str,
    start: Micros,
    limit: Limit,
}

impl<'p> Here<'p> {
    fn place(self, id: &'p str, end: Micros) -> Place<'p> {
        Place { service: self.service, id, parent: Some(self.parent), start: self.start, end }
    }
}

pub(super) struct System<'r> {
    pub(super) write: Instruments<'r>,
    /// Whether a caller's deadline is propagated to its callees.
    deadlines_travel: bool,
    /// Work after the answer.
    later: Vec<(usize, Vec<Op>, String, Micros)>,
}

const NEVER: Micros = i64::MAX / 4_000;

impl<'r> System<'r> {
    pub(super) fn new(write: Instruments<'r>, deadlines_travel: bool) -> Self {
        Self { write, deadlines_travel, later: Vec::new() }
    }

    /// Runs a request to the first service with a time budget. The caller may leave earlier. Returns the spans and the
    /// outcome.
    pub(super) fn request(
        &mut self,
        body: &[Op],
        fault: Option<Fault>,
        limit: Limit,
        from_app: bool,
    ) -> (Vec<Span>, Outcome) {
        let app = from_app.then(|| self.write.id());
        let id = self.write.id();
        let start = if from_app { 5 * MS } else { 0 };
        let (mut end, mut outcome) = match fault {
            Some(Fault::Exhausted) => (start + 300, Outcome::Exhausted),
            Some(Fault::Fail(_)) => (start + 500, Outcome::Unavailable),
            // The body of the request does not arrive.
            Some(Fault::Slow(_)) => (start + 10_000 * MS, Outcome::Deadline),
            Some(Fault::Connect) => (start + 40 * MS, Outcome::Unavailable),
            _ => self.body(Here { service: 0, parent: &id, start: start + 200, limit }, body),
        };
        match fault {
            Some(Fault::Refuse(kind)) => outcome = Outcome::Refused(kind),
            Some(Fault::Panic) => outcome = Outcome::Internal,
            _ => {}
        }
        end += 150;
        let was_reached = fault != Some(Fault::Connect);
        if was_reached {
            let place = Place { service: 0, id: &id, parent: app.as_deref(), start, end };
            self.write.http_server(place, "POST /things", Answer { outcome, fault });
        }
        if let Some(app) = &app {
            // The app waits for a lost message until its timeout.
            let is_lost = fault == Some(Fault::Lost);
            let end = if is_lost { end + 20_000 * MS } else { end + 8 * MS };
            let outcome = if is_lost { Outcome::Deadline } else { outcome };
            let place = Place { service: usize::MAX, id: app, parent: None, start: 0, end };
            self.write.app(place, outcome, was_reached && !is_lost);
        }
        while let Some((service, body, parent, start)) = self.later.pop() {
            self.consume(service, &body, &parent, start);
        }
        (self.write.take(), outcome)
    }

    fn consume(&mut self, service: usize, body: &[Op], parent: &str, start: Micros) {
        let id = self.write.id();
        let limit = Limit { at: NEVER, outcome: Outcome::Deadline };
        let (end, outcome) = self.body(Here { service, parent: &id, start: start + 100, limit }, body);
        self.write.consumer(Place { service, id: &id, parent: Some(parent), start, end }, outcome);
    }

    /// Runs operations one after the other until one fails finally.
    fn body(&mut self, here: Here<'_>, body: &[Op]) -> (Micros, Outcome) {
        let mut now = here.start;
        for op in body {
            let (end, outcome) = self.op(Here { start: now, ..here }, op);
            now = end + 50;
            if outcome != Outcome::Well {
                return (now, outcome);
            }
            if now >= here.limit.at {
                return (here.limit.at, here.limit.outcome);
            }
        }
        (now, Outcome::Well)
    }

    fn op(&mut self, here: Here<'_>, op: &Op) -> (Micros, Outcome) {
        match &op.what {
            What::Own { name, time } => self.own(here, *name, *time, op.fault),
            What::Call { tries, .. } => {
                let mut now = here.start;
                for attempt in 1..=*tries {
                    let (end, outcome) = self.call(Here { start: now, ..here }, op);
                    let is_final = matches!(outcome, Outcome::Well | Outcome::Refused(_) | Outcome::Cancelled);
                    if is_final || attempt == *tries || end + 30 * MS >= here.limit.at {
                        return (end, outcome);
                    }
                    now = end + 10 * MS * i64::from(attempt);
                }
                (now, Outcome::Well)
            }
            What::Outside { optional, .. } => {
                let (end, outcome) = self.outside(here, op);
                if *optional && end < here.limit.at { (end, Outcome::Well) } else { (end, outcome) }
            }
            What::Database { wait, statements } => self.database(here, *wait, statements, op.fault),
            What::Publish { to, body } => {
                let id = self.write.id();
                self.write.producer(here.place(&id, here.start + 2 * MS));
                self.later.push((*to, body.clone(), id, here.start + 3 * MS));
                (here.start + 2 * MS, Outcome::Well)
            }
        }
    }

    fn own(
        &mut self,
        here: Here<'_>,
        name: Option<&'static str>,
        time: Micros,
        fault: Option<Fault>,
    ) -> (Micros, Outcome) {
        let more = if let Some(Fault::Slow(more) | Fault::Wait(more)) = fault { more } else { 0 };
        let name = if matches!(fault, Some(Fault::Wait(_))) { Some("wait in queue") } else { name };
        let (end, mut outcome) = cut(here, time + more);
        let is_bug = matches!(fault, Some(Fault::Panic | Fault::Fail(_)));
        if is_bug && outcome == Outcome::Well {
            outcome = Outcome::Internal;
        }
        if let Some(name) = name {
            let id = self.write.id();
            self.write.internal(here.place(&id, end), name, Answer { outcome, fault: fault.filter(|_| is_bug) });
        }
        (end, outcome)
    }

    fn call(&mut self, here: Here<'_>, op: &Op) -> (Micros, Outcome) {
        const NETWORK: Micros = 400;
        let What::Call { to, body, .. } = &op.what else { unreachable!("it is a call") };
        let (call, answer) = (self.write.id(), self.write.id());
        let arrives = here.start + NETWORK;
        let at = if self.deadlines_travel { here.limit.at - 5 * MS } else { NEVER };
        let limit = Limit { at, ..here.limit };
        let written = self.write.count();
        let (mut end, mut outcome) = match op.fault {
            Some(Fault::Exhausted) => (arrives + 200, Outcome::Exhausted),
            Some(Fault::Connect) => (arrives, Outcome::Unavailable),
            _ => self.body(Here { service: *to, parent: &answer, start: arrives + 50, limit }, body),
        };
        match op.fault {
            Some(Fault::Panic | Fault::Fail(_)) if outcome == Outcome::Well => outcome = Outcome::Internal,
            Some(Fault::Refuse(kind)) => outcome = Outcome::Refused(kind),
            Some(Fault::Gone) => self.write.lose(written, *to),
            _ => {}
        }
        if !matches!(op.fault, Some(Fault::Gone | Fault::Connect)) {
            let place = Place { service: *to, id: &answer, parent: Some(&call), start: arrives, end };
            self.write.server(place, op, Answer { outcome, fault: op.fault });
        }
        if matches!(op.fault, Some(Fault::Gone | Fault::Lost)) {
            outcome = Outcome::Unavailable;
        }
        end += NETWORK;
        if end > here.limit.at {
            (end, outcome) = (here.limit.at.max(here.start), here.limit.outcome);
        }
        self.write.client(here.place(&call, end), op, outcome);
        (end, outcome)
    }

    fn outside(&mut self, here: Here<'_>, op: &Op) -> (Micros, Outcome) {
        let What::Outside { by, peer, time, .. } = op.what else { unreachable!("it is a call") };
        let more = if let Some(Fault::Slow(more)) = op.fault { more } else { 0 };
        let (end, mut outcome) = cut(here, time + more);
        if outcome == Outcome::Well {
            outcome = match op.fault {
                Some(Fault::Connect | Fault::Fail(_)) => Outcome::Unavailable,
                Some(Fault::Exhausted) => Outcome::Exhausted,
                Some(Fault::Refuse(kind)) => Outcome::Refused(kind),
                _ => Outcome::Well,
            };
        }
        let id = self.write.id();
        self.write.outside(here.place(&id, end), by, peer, Answer { outcome, fault: op.fault });
        (end, outcome)
    }

    fn database(
        &mut self,
        here: Here<'_>,
        wait: Micros,
        statements: &[(&'static str, Micros)],
        fault: Option<Fault>,
    ) -> (Micros, Outcome) {
        const POOL_TIMEOUT: Micros = 5_000 * MS;
        let waited = if let Some(Fault::Wait(more)) = fault { wait + more } else { wait };
        let (mut now, mut outcome) = cut(here, waited.min(POOL_TIMEOUT));
        if outcome == Outcome::Well && (waited >= POOL_TIMEOUT || fault == Some(Fault::Connect)) {
            outcome = Outcome::Unavailable;
        }
        let id = self.write.id();
        self.write.pool(here.place(&id, now), Answer { outcome, fault });
        if outcome != Outcome::Well {
            return (now, outcome);
        }
        let last = statements.len().saturating_sub(1);
        for (at, (statement, time)) in statements.iter().enumerate() {
            let fault = fault.filter(|_| at == last);
            let more = match fault {
                Some(Fault::Slow(more)) => more,
                Some(Fault::Lock(_)) => 3_000 * MS,
                _ => 0,
            };
            let here = Here { start: now + 30, ..here };
            let fault = fault.filter(|fault| matches!(fault, Fault::Lock(_) | Fault::Fail(_)));
            let (end, mut outcome) = cut(here, time + more);
            // If it is cut off earlier, its span does not say what it waited for.
            let fault = fault.filter(|_| outcome == Outcome::Well);
            if fault.is_some() {
                outcome = Outcome::Internal;
            }
            let id = self.write.id();
            self.write.statement(here.place(&id, end), statement, Answer { outcome, fault });
            now = end;
            if outcome != Outcome::Well {
                return (now, outcome);
            }
        }
        (now, Outcome::Well)
    }
}

/// Work of this duration, unless it is cut off.
fn cut(here: Here<'_>, time: Micros) -> (Micros, Outcome) {
    let Here { start, limit, .. } = here;
    if start + time >= limit.at { (limit.at.max(start), limit.outcome) } else { (start + time, Outcome::Well) }
}
