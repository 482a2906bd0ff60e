//! The terminal while the demo uses it.

use std::io;

use anyhow::{Context, anyhow};
use crossterm::event::{Event, EventStream, KeyEvent};
use futures_util::StreamExt;
use ratatui::{DefaultTerminal, Frame};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The screen. The terminal is restored when this is dropped and when the program panics.
pub(super) struct Screen(DefaultTerminal);

impl Screen {
    pub(super) fn open() -> anyhow::Result<Self> {
        let opened = ratatui::try_init();
        if opened.is_err() {
            ratatui::restore();
        }
        Ok(Self(opened.context("open the terminal")?))
    }

    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(draw).map(drop)
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        self.0.size().map(|size| (size.width, size.height))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // After a panic the terminal is already restored, and the message is below the old content.
        if !std::thread::panicking() {
            ratatui::restore();
        }
    }
}

/// An input from outside.
pub(super) enum Input {
    Key(KeyEvent),
    /// Columns and rows.
    Resized(u16, u16),
    /// A signal to end.
    End,
}

/// Keys and signals.
pub(super) struct Inputs {
    events: EventStream,
    signals: [Signal; 3],
}

impl Inputs {
    pub(super) fn new() -> io::Result<Self> {
        let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = signals.map(signal);
        Ok(Self { events: EventStream::new(), signals: [interrupt?, terminate?, hangup?] })
    }

    /// Waits for the next input. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> anyhow::Result<Input> {
        let [interrupt, terminate, hangup] = &mut self.signals;
        loop {
            let event = tokio::select! {
                event = self.events.next() => event.ok_or_else(|| anyhow!("the terminal is gone"))??,
                _ = interrupt.recv() => return Ok(Input::End),
                _ = terminate.recv() => return Ok(Input::End),
                _ = hangup.recv() => return Ok(Input::End),
            };
            match event {
                Event::Key(key) => return Ok(Input::Key(key)),
                Event::Resize(columns, rows) => return Ok(Input::Resized(columns, rows)),
                _ => {}
            }
        }
    }
}
