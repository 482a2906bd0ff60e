//! Deliberate failures. A file describes what fails, what is sent and what the trace must show.

mod compose;
mod crowd;
mod fault;
mod file;
mod native;
mod outcome;
mod patient;
mod phone;
mod system;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use migrations::demo::{NURSES, PATIENTS};
use serde_json::Value;
use traces::explain::{Cause, Explanation, explain};
use uuid::Uuid;

use crate::client::{Client, Response};
use crate::postgres::Postgres;
use crate::proxy::Proxy;
use crate::stack::{Builder, Stack, in_order, of_trace};
use crate::trace::Trace;
use crate::{contract, poll};
use phone::Phone;

pub use compose::Composed;
pub use fault::{Against, Clock, Crowd, Fault, Killed, Lock, Mail, Network, Part, Setting, Sms};
pub use file::{Expect, Expected, Guilty, Line, Scenario, Submission};
pub use native::Native;
pub use outcome::{Outcome, in_short, table};
pub use patient::Patient;
pub use system::System;

/// The most time to wait for any condition.
const DEADLINE: Duration = Duration::from_secs(30);

/// The log message of a service when it begins a fault from the baggage.
const FAULT_BEGUN: &str = "a fault that the request has asked for";

/// When no span has arrived for this long, the trace is complete.
const QUIET: Duration = Duration::from_secs(1);

/// Runs scenarios one after the other on one stack, which is repaired after each.
#[derive(Debug)]
pub struct Runner<S = Native> {
    stack: S,
    patient: Patient,
    /// The network between phone and gateway.
    edge: Proxy,
}

impl<S: System> Runner<S> {
    /// Starts the five services and everything they need.
    ///
    /// # Errors
    /// When something does not start, or the patient cannot log in.
    pub async fn start() -> anyhow::Result<Self> {
        Self::on(S::start().await?).await
    }

    async fn on(stack: S) -> anyhow::Result<Self> {
        let edge = Proxy::start(stack.gateway()).await?;
        let patient = Patient::log_in(stack.gateway(), &edge, stack.otlp()).await?;
        Ok(Self { stack, patient, edge })
    }

    /// The patient who sends the reports.
    pub fn patient(&self) -> &Patient {
        &self.patient
    }

    /// Stops everything.
    ///
    /// # Errors
    /// When something does not stop cleanly.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stack.stop().await
    }

    /// The log lines of all services since the start, oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn logs(&self) -> anyhow::Result<Vec<Value>> {
        Ok(in_order(self.stack.logs().await?))
    }

    /// Runs a scenario, first without its faults and then with them.
    ///
    /// # Errors
    /// When a fault cannot be begun or ended. A verdict other than the expected one is no error.
    pub async fn run(&mut self, scenario: &Scenario) -> anyhow::Result<Outcome> {
        let started = Instant::now();
        let without = self.without_faults().await.context("without the faults")?;
        let trace_id = Uuid::new_v4();
        let (answer, trace, logs) = self.fail(scenario, trace_id).await?;
        let outcome = Outcome {
            scenario: scenario.clone(),
            link: self.stack.link(&trace_id.simple().to_string()),
            answer,
            explanation: explain(&trace),
            trace,
            without,
            logs,
            took: started.elapsed(),
            deviations: Vec::new(),
        };
        Ok(outcome.judged())
    }

    /// Sends one report with a scenario's faults, in a trace with this id, and ends the faults once its trace has been
    /// read. Returns the phone's last answer, the trace and its log lines.
    ///
    /// # Errors
    /// When a fault cannot be begun or ended.
    pub async fn fail(
        &mut self,
        scenario: &Scenario,
        trace_id: Uuid,
    ) -> anyhow::Result<(Option<Response>, Trace, Vec<Value>)> {
        let (early, late): (Vec<_>, Vec<_>) = scenario.faults.iter().partition(|fault| !fault.outlasts_the_answer());
        for fault in scenario.faults.iter().filter(|fault| !matches!(fault, Fault::Killed(_))) {
            self.stack.begin(fault).await.with_context(|| format!("{fault:?}"))?;
            if *fault == Fault::Down(Part::Postgres) {
                self.wait_until_missed().await?;
            }
        }
        let answer = self.send_with_faults(scenario, trace_id).await?;
        for fault in early {
            self.stack.end(fault).await.with_context(|| format!("the end of {fault:?}"))?;
        }
        let id = trace_id.simple().to_string();
        let complete = |trace: &Trace| outcome::missing(&scenario.expect.spans, trace).is_empty();
        let trace = self.settled(&id, complete).await?;
        let wanted = &scenario.expect.logs;
        let found = |lines: &Vec<Value>| outcome::unsaid(wanted, lines).is_empty();
        let logs = poll::until(DEADLINE, async || Ok(of_trace(self.stack.logs().await?, &id)), found).await?;
        for fault in late {
            self.stack.end(fault).await.with_context(|| format!("the end of {fault:?}"))?;
        }
        Ok((answer, trace, logs))
    }

    /// Waits until user-svc notices that Postgres is down. Before that, its pool may or may not have a connection left.
    async fn wait_until_missed(&self) -> anyhow::Result<()> {
        let client = Client::new(format!("http://{}", self.stack.gateway()));
        let ask = async || Ok(client.get("/readyz", None).await.is_ok_and(|answer| answer.json()["user-svc"] == false));
        ensure!(poll::until(DEADLINE, ask, |missed| *missed).await?, "user-svc does not miss Postgres");
        Ok(())
    }

    /// Sends a report without faults as soon as the stack accepts one again.
    async fn without_faults(&self) -> anyhow::Result<Explanation> {
        let submit = async || {
            let trace_id = Uuid::new_v4();
            anyhow::Ok((self.patient.submit(trace_id).await, trace_id))
        };
        let (status, trace_id) = poll::until(DEADLINE, submit, |(status, _)| *status == Some(201)).await?;
        ensure!(status == Some(201), "the last answer was {status:?}");
        // One more for the phone's span.
        let size = contract::submit_report(nurses()).size() + 1;
        let whole = |trace: &Trace| trace.spans.len() >= size && trace.orphans().is_empty();
        let id = trace_id.simple().to_string();
        let trace = poll::until(DEADLINE, async || Ok(self.stack.trace(&id).await), whole).await?;
        Ok(explain(&trace))
    }

    async fn send_with_faults(&mut self, scenario: &Scenario, trace_id: Uuid) -> anyhow::Result<Option<Response>> {
        let mut crowds = Vec::new();
        for fault in &scenario.faults {
            if let Fault::Crowd(described) = fault {
                self.warm_up(scenario, described).await?;
                crowds.push(self.gather(described).await?);
            }
        }
        if scenario.network() == Some(Network::Reset) {
            self.edge.reset();
        }
        let phone = Phone {
            patient: &self.patient,
            submission: scenario.send,
            baggage: scenario.baggage().map(str::to_owned),
            network: scenario.network(),
            trace_id,
        };
        let killed = scenario.faults.iter().find(|fault| matches!(fault, Fault::Killed(_)));
        let killing = kill_once_reached(&mut self.stack, killed, trace_id);
        let (answer, killed_in_time) = tokio::join!(phone.submit(), killing);
        self.edge.restore();
        killed_in_time?;
        // Cancels the concurrent requests that still wait.
        drop(crowds);
        Ok(answer)
    }

    /// Returns a trace once it is complete and no more spans arrive, or as it is when the deadline has passed.
    async fn settled(&self, trace_id: &str, complete: impl Fn(&Trace) -> bool) -> anyhow::Result<Trace> {
        let (mut spans, mut since) = (usize::MAX, Instant::now());
        let ask = async || {
            let trace = self.stack.trace(trace_id).await;
            if trace.spans.len() != spans {
                (spans, since) = (trace.spans.len(), Instant::now());
            }
            let is_quiet = since.elapsed() >= QUIET;
            anyhow::Ok((trace, is_quiet))
        };
        let (trace, _) = poll::until(DEADLINE, ask, |(trace, is_quiet)| *is_quiet && complete(trace)).await?;
        Ok(trace)
    }
}

/// Kills a service as soon as another one has begun the report's fault.
async fn kill_once_reached<S: System>(stack: &mut S, killed: Option<&Fault>, trace_id: Uuid) -> anyhow::Result<()> {
    let Some(fault) = killed else { return Ok(()) };
    let Fault::Killed(Killed { when, .. }) = fault else { return Ok(()) };
    let when = when.service().context("only services have faults of the baggage")?.name();
    let id = trace_id.simple().to_string();
    let has_begun =
        |lines: &Vec<Value>| lines.iter().any(|line| line["service"] == when && line["message"] == FAULT_BEGUN);
    let lines = poll::until(DEADLINE, async || Ok(of_trace(stack.logs().await?, &id)), has_begun).await?;
    ensure!(has_begun(&lines), "{when} did not begin with its fault");
    stack.begin(fault).await
}

/// The number of nurses of the patient's site.
fn nurses() -> usize {
    NURSES.iter().filter(|nurse| nurse.site == PATIENTS[0].site).count()
}

impl Runner<Native> {
    /// Starts the five services on this Postgres, which must have its template, with the builder's settings.
    ///
    /// # Errors
    /// See [`Runner::start`].
    pub async fn start_on(postgres: Postgres, stack: Builder) -> anyhow::Result<Self> {
        Self::on(Native::start_on(postgres, stack).await?).await
    }

    /// The stack of the scenarios.
    pub fn stack(&self) -> &Stack {
        &self.stack.stack
    }

    /// The stack and its Postgres, for a caller that stops them.
    pub fn into_parts(self) -> (Stack, Postgres) {
        self.stack.into_parts()
    }
}

/// Whether a cause means that nothing failed.
fn is_well(cause: Cause) -> bool {
    matches!(cause, Cause::Healthy | Cause::SlowButHealthy)
}
