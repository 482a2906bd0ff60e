//! The state of the demo. Only events and actions change it, so it can be tested without a terminal and a stack.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::FixedOffset;
use testkit::scenario::Scenario;
use testkit::trace::Trace;

use super::keys::{Action, Tab, Way};
use super::page;
use super::row::Row;

/// The most traces that are kept. Older ones are dropped.
pub(super) const MOST: usize = 200;

/// Rows of the terminal around the list or text.
pub(super) const FRAME: u16 = 4;

/// Columns by which a text is scrolled sideways.
const SIDESTEP: usize = 16;

/// Something that happened.
#[derive(Debug)]
pub(super) enum Event {
    /// Traces with new spans.
    Traces(Vec<Trace>),
    /// A report is being sent in a trace with this id. `at` is in nanoseconds since the Unix epoch.
    Sent { id: String, sender: String, at: u64 },
    /// The result of a report: the status of the answer, `None` if there was none, or why it could not be sent.
    Over { id: String, end: Result<Option<u16>, String> },
    /// The log lines of a trace.
    Logs { id: String, lines: Vec<String> },
    /// The time since the start.
    Time(Duration),
    /// The columns and rows of the terminal.
    Size(u16, u16),
}

/// Something that the session must do for an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Submit,
    /// The scenario of this name.
    Fail(String),
    /// Fetch the log lines of this trace.
    Logs(String),
    Quit,
}

/// What is on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Front {
    List,
    /// The menu, with the selected failure.
    Menu(usize),
    /// A text, with the columns and lines that are scrolled out.
    Page(Page, (usize, usize)),
}

/// A text to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    Help,
    /// A view of the trace with this id.
    Trace(String, Tab),
}

impl Page {
    /// The rows above the text that name the trace, and say what is wrong with it unless the text does.
    pub(super) fn heading(&self) -> u16 {
        match self {
            Self::Help => 0,
            Self::Trace(_, Tab::Explanation) => 1,
            Self::Trace(_, Tab::Tree | Tab::Logs) => 3,
        }
    }
}

/// The state of everything that is shown.
#[derive(Debug)]
pub(super) struct Model {
    /// The gateway's URL.
    pub(super) gateway: String,
    pub(super) scenarios: Vec<Scenario>,
    /// Newest first.
    pub(super) rows: VecDeque<Row>,
    /// The selected trace. `None` means the newest one.
    chosen: Option<String>,
    pub(super) front: Front,
    /// The trace and the scenario of the failure in progress.
    pub(super) failing: Option<(String, String)>,
    /// The last message.
    pub(super) note: String,
    /// The log lines of the trace on the screen.
    pub(super) logs: Vec<String>,
    /// The time since the start.
    pub(super) now: Duration,
    /// The columns and rows of the terminal.
    pub(super) size: (u16, u16),
    zone: FixedOffset,
}

impl Model {
    pub(super) fn new(gateway: String, scenarios: Vec<Scenario>, zone: FixedOffset, size: (u16, u16)) -> Self {
        Self {
            gateway,
            scenarios,
            rows: VecDeque::new(),
            chosen: None,
            front: Front::List,
            failing: None,
            note: String::new(),
            logs: Vec::new(),
            now: Duration::ZERO,
            size,
            zone,
        }
    }

    pub(super) fn update(&mut self, event: Event) {
        match event {
            Event::Traces(traces) => {
                for trace in traces {
                    self.arrive(trace);
                }
            }
            Event::Sent { id, sender, at } => {
                self.note = format!("{sender}: sent");
                // Select the new trace, so that the user sees what happens.
                self.chosen = Some(id.clone());
                if self.scenarios.iter().any(|scenario| scenario.name == sender) {
                    self.failing = Some((id.clone(), sender.clone()));
                }
                self.push(Row::sent(id, sender, at, self.zone, self.now));
            }
            Event::Over { id, end } => self.finish(&id, &end),
            Event::Logs { id, lines } if self.is_in_front(&id) => self.logs = lines,
            Event::Logs { .. } => {}
            Event::Time(now) => self.now = now,
            Event::Size(columns, rows) => self.size = (columns, rows),
        }
    }

    fn arrive(&mut self, trace: Trace) {
        let now = self.now;
        match self.rows.iter_mut().find(|row| row.id == trace.id()) {
            Some(row) => row.grow(trace, now),
            None => self.push(Row::arrived(trace, self.zone, now)),
        }
    }

    fn push(&mut self, row: Row) {
        self.rows.push_front(row);
        self.rows.truncate(MOST);
    }

    fn finish(&mut self, id: &str, end: &Result<Option<u16>, String>) {
        let row = self.rows.iter_mut().find(|row| row.id == id);
        let sender = row.and_then(|row| {
            row.is_awaited = false;
            row.sender.clone()
        });
        let what = match end {
            Ok(Some(status)) => format!("answered with {status}"),
            Ok(None) => "no answer".to_owned(),
            Err(error) => error.clone(),
        };
        self.note = format!("{}: {what}", sender.unwrap_or_default());
        self.failing.take_if(|(failing, _)| failing == id);
    }

    fn is_in_front(&self, id: &str) -> bool {
        matches!(&self.front, Front::Page(Page::Trace(of, _), _) if of == id)
    }

    /// The index of the selected trace.
    pub(super) fn chosen(&self) -> usize {
        let place = self.chosen.as_ref().and_then(|id| self.rows.iter().position(|row| row.id == *id));
        place.unwrap_or_default()
    }

    pub(super) fn row(&self, id: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == id)
    }

    pub(super) fn act(&mut self, action: Action) -> Option<Command> {
        match (action, &self.front) {
            (Action::Quit, _) => Some(Command::Quit),
            (Action::Submit, _) => Some(Command::Submit),
            (Action::Menu, _) => {
                self.front = Front::Menu(0);
                None
            }
            (Action::Help, _) => self.open(Page::Help),
            (Action::Back, _) => {
                self.front = Front::List;
                None
            }
            (Action::Enter, Front::Menu(at)) => self.fail(*at),
            (Action::Enter, _) => self.show(Tab::Tree),
            (Action::Show(tab), _) => self.show(tab),
            (Action::Move(way), _) => {
                self.step(way);
                None
            }
        }
    }

    fn fail(&mut self, at: usize) -> Option<Command> {
        self.front = Front::List;
        if let Some((_, name)) = &self.failing {
            self.note = format!("one failure at a time: {name} is going on");
            return None;
        }
        self.scenarios.get(at).map(|scenario| Command::Fail(scenario.name.clone()))
    }

    fn show(&mut self, tab: Tab) -> Option<Command> {
        let id = match &self.front {
            Front::Page(Page::Trace(id, _), _) => id.clone(),
            _ => self.rows.get(self.chosen())?.id.clone(),
        };
        self.open(Page::Trace(id, tab))
    }

    fn open(&mut self, page: Page) -> Option<Command> {
        let logs = match &page {
            Page::Trace(id, Tab::Logs) => Some(Command::Logs(id.clone())),
            _ => None,
        };
        self.logs.clear();
        self.front = Front::Page(page, (0, 0));
        logs
    }

    fn step(&mut self, way: Way) {
        let height = usize::from(self.size.1.saturating_sub(FRAME)).max(1);
        match self.front.clone() {
            Front::List => {
                let at = moved(self.chosen(), way, height, self.rows.len());
                // At the top, nothing is selected, so that the newest trace stays in view.
                self.chosen = self.rows.get(at).filter(|_| at > 0).map(|row| row.id.clone());
            }
            Front::Menu(at) => self.front = Front::Menu(moved(at, way, height, self.scenarios.len())),
            Front::Page(page, (aside, down)) => {
                let height = height.saturating_sub(page.heading().into()).max(1);
                let lines = page::lines(self, &page);
                let widest = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default();
                let aside = match way {
                    Way::Left => aside.saturating_sub(SIDESTEP),
                    Way::Right if aside + usize::from(self.size.0) < widest => aside + SIDESTEP,
                    _ => aside,
                };
                let down = moved(down, way, height, (lines.len() + 1).saturating_sub(height));
                self.front = Front::Page(page, (aside, down));
            }
        }
    }
}

/// The new index after a movement in a list of `count` entries.
fn moved(at: usize, way: Way, height: usize, count: usize) -> usize {
    let to = match way {
        Way::Up => at.saturating_sub(1),
        Way::Down => at + 1,
        Way::PageUp => at.saturating_sub(height),
        Way::PageDown => at + height,
        Way::First => 0,
        Way::Last => count,
        Way::Left | Way::Right => at,
    };
    to.min(count.saturating_sub(1))
}

#[cfg(test)]
pub(super) mod tests;
