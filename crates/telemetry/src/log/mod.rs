//! Log lines: what may be written, how a line looks, and a way to standard output that nobody waits for.

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

/// Families of libraries whose detailed logs show what goes over the wire: bodies, addresses,
/// parameters. `hyper` stands for `hyper_util` too. They are held at warnings whatever `RUST_LOG` asks for.
const DETAILED_LIBRARIES: [&str; 9] = ["axum", "h2", "hyper", "lettre", "reqwest", "rustls", "sqlx", "tonic", "tower"];

/// What the exporters say of every single batch that fails. An outage of the collector is logged where
/// it begins and where it ends.
const EVERY_BATCH: [&str; 4] = [
    "Export.Failed.Exhausted",
    "Export.Failed.NonRetryable",
    "BatchSpanProcessor.ExportError",
    "PeriodicReader.ExportError",
];

/// What of a thread's buffer is kept for its next line, in bytes.
const KEPT: usize = 16 * 1024;

/// How lines look and how many may wait.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// For whom lines are written.
    pub format: LogFormat,
    /// Lines that wait for standard output at most; more are dropped and counted.
    pub lines: usize,
    /// Bytes that wait for standard output at most. They are taken as lines come.
    pub bytes: usize,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Auto, lines: 16_384, bytes: 8 * 1024 * 1024 }
    }
}

/// For whom lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people on a terminal, for machines elsewhere.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// One sentence with its fields a line.
    Text,
}

/// The way to standard output, and how lines look there.
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
            // A writer that fails has nobody left to be told.
            let _ = self.writer.make_writer_for(event.metadata()).write_all(line);
            line.shrink_to(KEPT);
        };
        LINE.with(|line| match line.try_borrow_mut() {
            Ok(mut line) => write(&mut line),
            // A value that is being shown has something to log itself.
            Err(_) => write(&mut Vec::new()),
        });
    }
}

#[cfg(test)]
mod tests;
