//! Log lines: a filter, their formats, and a non-blocking writer to standard output.

mod format;
mod json;
mod text;
mod value;
mod writer;

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};

use serde::Deserialize;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;

pub(crate) use format::Format;
pub(crate) use writer::{Closing, Writer};

/// Families of libraries whose detailed logs show what goes over the wire: bodies, addresses, parameters. `hyper`
/// stands for `hyper_util` too. Only their warnings and errors are written, whatever `RUST_LOG` says.
const DETAILED_LIBRARIES: [&str; 9] = ["axum", "h2", "hyper", "lettre", "reqwest", "rustls", "sqlx", "tonic", "tower"];

/// Events that exporters log for every failed batch. They are left out, because an outage of the collector is logged
/// once when it begins and once when it ends.
const EVERY_BATCH: [&str; 4] = [
    "Export.Failed.Exhausted",
    "Export.Failed.NonRetryable",
    "BatchSpanProcessor.ExportError",
    "PeriodicReader.ExportError",
];

/// How much of a thread's buffer is kept for its next line, in bytes.
const KEPT: usize = 16 * 1024;

/// The format of log lines, and the limits of their queue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// The format of the lines.
    pub format: LogFormat,
    /// The most lines that may wait for standard output; more are dropped and counted.
    pub lines: usize,
    /// The most bytes that may wait for standard output. Memory is allocated as lines come.
    pub bytes: usize,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Auto, lines: 16_384, bytes: 8 * 1024 * 1024 }
    }
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `Text` on a terminal, `Json` elsewhere.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// The message and its fields on one line, for people.
    Text,
}

/// The writer to standard output, and the format of its lines.
///
/// # Errors
/// When the thread that writes cannot be started.
pub(crate) fn stdout(config: &LogConfig, service: &str) -> io::Result<(Writer, Format)> {
    let stdout = io::stdout();
    let format = Format::new(config.format, service, stdout.is_terminal());
    let notice = format.clone();
    let writer =
        Writer::start(config.lines.max(1), config.bytes, stdout, move |line, lines| notice.dropped(line, lines))?;
    Ok((writer, format))
}

/// Whether a line may be written at all.
pub(crate) fn permitted(metadata: &Metadata<'_>) -> bool {
    let family = metadata.target().split([':', '_']).next().unwrap_or_default();
    (*metadata.level() <= Level::WARN || !DETAILED_LIBRARIES.contains(&family))
        && !EVERY_BATCH.contains(&metadata.name())
}

/// Writes events as lines, each by one call of the writer.
#[derive(Debug)]
pub(crate) struct Lines<W> {
    format: Format,
    writer: W,
}

impl<W> Lines<W> {
    pub(crate) fn new(format: Format, writer: W) -> Self {
        Self { format, writer }
    }
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        thread_local! {
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let write = |line: &mut Vec<u8>| {
            line.clear();
            self.format.event(line, event);
            // There is nowhere to log that the log cannot be written.
            let _ = self.writer.make_writer_for(event.metadata()).write_all(line);
            line.shrink_to(KEPT);
        };
        LINE.with(|line| match line.try_borrow_mut() {
            Ok(mut line) => write(&mut line),
            // The buffer is in use: a value of the line that is being formatted logs an event itself.
            Err(_) => write(&mut Vec::new()),
        });
    }
}

#[cfg(test)]
mod tests;
