//! A demo on a terminal, from its first screen to the end of its processes.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chrono::{Local, Utc};
use crossterm::event::KeyEvent;
use testkit::otlp::Arrivals;
use testkit::scenario::{Patient, Runner, Scenario, in_short};
use testkit::stack::{Logs, Service};
use testkit::trace::Trace;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedSender, channel, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use uuid::Uuid;

use super::keys::{Action, Tab, action};
use super::model::{Command, Event, Front, MOST, Model, Page};
use super::start::{Starting, start};
use super::terminal::{Input, Inputs, Screen};
use super::{Options, end, view};

/// The time between two screens when only the clock has changed.
const TICK: Duration = Duration::from_millis(120);

/// The least time between two updates of traces.
const PACE: Duration = Duration::from_millis(100);

/// Runs the demo until the user ends it.
pub(super) async fn run(options: &Options) -> anyhow::Result<()> {
    let (mut screen, mut inputs) = (Screen::open()?, Inputs::new()?);
    let idle = match prepare(options, &mut screen, &mut inputs).await? {
        Some(runner) => live(runner, &mut screen, &mut inputs).await?,
        None => None,
    };
    drop(screen);
    // If a scenario is in progress, the stack is in an unknown state and is only dropped.
    if let Some(runner) = idle {
        eprintln!("stopping the services ...");
        let (stack, mut postgres) = runner.into_parts();
        tokio::select! {
            ended = async { end(stack).await?; postgres.stop().await } => ended?,
            _ = inputs.next() => {}
        }
    }
    eprintln!("stopped");
    Ok(())
}

/// Starts everything. `None` if the user ends it before that.
async fn prepare(options: &Options, screen: &mut Screen, inputs: &mut Inputs) -> anyhow::Result<Option<Runner>> {
    let (progress, mut said) = unbounded_channel();
    let mut started = Box::pin(start(options, progress));
    let (mut starting, begin, mut ticks) = (Starting::default(), Instant::now(), interval(TICK));
    loop {
        starting.now = begin.elapsed();
        screen.draw(|frame| view::draw_starting(&starting, frame))?;
        tokio::select! {
            runner = &mut started => return runner.map(Some),
            Some(progress) = said.recv() => starting.update(progress),
            input = inputs.next() => match input? {
                Input::Key(key) if action(key) == Some(Action::Quit) => return Ok(None),
                Input::End => return Ok(None),
                Input::Key(_) | Input::Resized(..) => {}
            },
            _ = ticks.tick() => {}
        }
    }
}

/// A request to send a report with a scenario's faults.
struct Order {
    id: Uuid,
    scenario: Scenario,
}

/// Everything that is needed to carry out the model's commands.
struct Session {
    model: Model,
    patient: Patient,
    logs: Logs,
    orders: Sender<Order>,
    events: UnboundedSender<Event>,
    sending: JoinSet<()>,
}

/// Shows traces as they arrive, until the user ends it. Returns the runner if no scenario is in progress.
async fn live(runner: Runner, screen: &mut Screen, inputs: &mut Inputs) -> anyhow::Result<Option<Runner>> {
    let gateway = runner.stack().url(Service::Gateway);
    let model = Model::new(gateway, Scenario::all(&Scenario::folder())?, *Local::now().offset(), screen.size()?);
    let (events, mut happened) = unbounded_channel();
    let (orders, ordered) = channel(1);
    let mut arrivals = runner.stack().otlp.arrivals();
    let (patient, logs) = (runner.patient().clone(), runner.stack().all_logs());
    let mut failing = Box::pin(fail(runner, ordered, events.clone()));
    let mut session = Session { model, patient, logs, orders, events, sending: JoinSet::new() };
    let (begin, mut looked, mut ticks) = (Instant::now(), Instant::now(), interval(TICK));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        session.model.update(Event::Time(begin.elapsed()));
        screen.draw(|frame| view::draw(&session.model, frame))?;
        tokio::select! {
            input = inputs.next() => match input? {
                Input::Key(key) => if session.press(key)? { break },
                Input::Resized(columns, rows) => session.model.update(Event::Size(columns, rows)),
                Input::End => break,
            },
            traces = arrive(&mut arrivals, looked + PACE) => {
                session.model.update(Event::Traces(traces?));
                looked = Instant::now();
            }
            Some(event) = happened.recv() => session.model.update(event),
            Some(sent) = session.sending.join_next() => sent.context("send a report")?,
            _ = &mut failing => bail!("nobody makes reports fail any more"),
            _ = ticks.tick() => session.refresh(),
        }
    }
    // Dropping the session closes the channel of orders, and so ends `failing`.
    drop(session);
    Ok(failing.await)
}

/// Waits until `earliest`, then for traces with new spans.
async fn arrive(arrivals: &mut Arrivals, earliest: Instant) -> anyhow::Result<Vec<Trace>> {
    sleep_until(earliest.into()).await;
    arrivals.next(MOST).await.context("the receiver of spans is gone")
}

impl Session {
    /// Handles a key. Returns whether to end.
    fn press(&mut self, key: KeyEvent) -> anyhow::Result<bool> {
        match action(key).and_then(|action| self.model.act(action)) {
            Some(Command::Quit) => return Ok(true),
            Some(Command::Submit) => {
                let (id, patient, events) = (self.sent("report"), self.patient.clone(), self.events.clone());
                self.sending.spawn(async move {
                    let end = Ok(patient.submit(id).await);
                    // This fails only when the demo ends.
                    let _ = events.send(Event::Over { id: hexadecimal(id), end });
                });
            }
            Some(Command::Fail(name)) => {
                let scenario = self.model.scenarios.iter().find(|scenario| scenario.name == name).cloned();
                let scenario = scenario.with_context(|| format!("there is no scenario {name}"))?;
                let id = self.sent(&name);
                self.orders.try_send(Order { id, scenario })?;
            }
            Some(Command::Logs(id)) => self.fetch_logs(id),
            None => {}
        }
        Ok(false)
    }

    fn sent(&mut self, sender: &str) -> Uuid {
        let id = Uuid::new_v4();
        let at = Utc::now().timestamp_nanos_opt().and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or_default();
        self.model.update(Event::Sent { id: hexadecimal(id), sender: sender.to_owned(), at });
        id
    }

    /// Reads the log lines again, because the log does not announce new ones.
    fn refresh(&mut self) {
        if let Front::Page(Page::Trace(id, Tab::Logs), _) = &self.model.front {
            self.fetch_logs(id.clone());
        }
    }

    fn fetch_logs(&mut self, id: String) {
        let lines = self.logs.of_trace(&id).iter().map(in_short).collect();
        self.model.update(Event::Logs { id, lines });
    }
}

/// The id in hexadecimal, as in `traceparent`.
fn hexadecimal(id: Uuid) -> String {
    id.simple().to_string()
}

/// Runs scenarios one after the other. Returns the runner, or `None` if a scenario was in progress at the end.
async fn fail(mut runner: Runner, mut orders: Receiver<Order>, events: UnboundedSender<Event>) -> Option<Runner> {
    while let Some(Order { id, scenario }) = orders.recv().await {
        let over = tokio::select! {
            over = runner.fail(&scenario, id) => over,
            // The model allows one scenario at a time, so this means that the channel was closed: the demo ends.
            _ = orders.recv() => return None,
        };
        let end = over.map(|(answer, ..)| answer.map(|answer| answer.status)).map_err(|error| format!("{error:#}"));
        // This fails only when the demo ends.
        let _ = events.send(Event::Over { id: hexadecimal(id), end });
    }
    Some(runner)
}
