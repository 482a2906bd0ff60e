//! A bounded queue before standard output, and a dedicated thread that writes its lines.

mod queue;

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use queue::{Amount, Queue};

/// The most bytes of one write, unless a single line is longer.
const CHUNK: usize = 64 * 1024;

/// How long the thread collects lines before the next write, unless many wait: a burst then needs few system calls.
const LINGER: Duration = Duration::from_millis(2);

/// The pause before the next attempt if standard output is non-blocking and full.
const BUSY: Duration = Duration::from_millis(5);

/// How long dropping [`Closing`] waits for the last lines.
const GRACE: Duration = Duration::from_secs(1);

/// Takes whole lines and does not wait for the reader of standard output: a line that has no room is dropped and
/// counted. Needs no runtime. The thread ends when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Producer>);

/// Counts of a writer's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Lines that were written.
    pub(crate) written: u64,
    /// Lines that were dropped: there was no room for them, or they could not be written.
    pub(crate) dropped: u64,
    /// Lines that wait.
    pub(crate) waiting: usize,
    /// The most lines that may wait.
    pub(crate) capacity: usize,
}

impl Writer {
    /// At most `lines` lines of `bytes` bytes in total wait for `out`. `notice` writes the line that says how many were
    /// dropped.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(
        lines: usize,
        bytes: usize,
        out: impl Write + Send + 'static,
        notice: impl Fn(&mut Vec<u8>, u64) + Send + 'static,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(Amount { lines, bytes }));
        let source = Arc::clone(&queue);
        thread::Builder::new().name("log".to_owned()).spawn(move || write(&source, out, notice))?;
        Ok(Self(Arc::new(Producer(queue))))
    }

    pub(crate) fn numbers(&self) -> Numbers {
        self.0.0.numbers()
    }

    /// Waits until everything is written, `patience` at most. From then on each new line is waited for briefly, because
    /// the process may end after it. `false` if lines are left; then new ones are not waited for.
    pub(crate) fn close(&self, patience: Duration) -> bool {
        self.0.0.close(patience)
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Writer").field(&self.numbers()).finish()
    }
}

/// Each call writes one line.
impl Write for &Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'writer> MakeWriter<'writer> for Writer {
    type Writer = &'writer Self;

    fn make_writer(&'writer self) -> Self::Writer {
        self
    }
}

/// Closes the writer when it is dropped, for a process that ends without a call of [`crate::Telemetry::shutdown`].
#[derive(Debug)]
pub(crate) struct Closing(pub(crate) Writer);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close(GRACE);
    }
}

/// What the clones of a writer share. The thread ends after the last of them.
struct Producer(Arc<Queue>);

impl Drop for Producer {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn write(queue: &Queue, mut out: impl Write, notice: impl Fn(&mut Vec<u8>, u64)) {
    let mut lines = Vec::new();
    while queue.take(&mut lines, &notice) {
        let mut rest = lines.as_slice();
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(chunk(rest));
            queue.written(Amount::of(chunk), untaken(&mut out, chunk));
            rest = later;
        }
        queue.linger(LINGER);
    }
}

/// The length of the whole lines that go into the next write.
fn chunk(lines: &[u8]) -> usize {
    let is_end = |byte: &u8| *byte == b'\n';
    let first = || lines.iter().position(is_end);
    match lines.get(..CHUNK) {
        None => lines.len(),
        Some(head) => head.iter().rposition(is_end).or_else(first).map_or(lines.len(), |end| end + 1),
    }
}

/// Writes lines and returns how many of them could not be written.
fn untaken(out: &mut impl Write, lines: &[u8]) -> usize {
    let mut rest = lines;
    while !rest.is_empty() {
        match uninterrupted(|| out.write(rest)) {
            Ok(taken) if taken > 0 => rest = &rest[taken..],
            Ok(_) | Err(_) => return Amount::of(rest).lines,
        }
    }
    // Standard output is line-buffered: if the flush fails, only the end of one line is lost.
    usize::from(uninterrupted(|| out.flush()).is_err())
}

/// Repeats an operation until it succeeds or fails for good.
fn uninterrupted<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(BUSY),
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests;
