//! A bounded queue before standard output: lines are handed over, and a thread of its own writes them.

mod queue;

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use queue::{Amount, Queue};

/// What is written at once, in bytes, unless a line alone is longer.
const CHUNK: usize = 64 * 1024;

/// How long the thread lets lines come together, unless they are many: a burst costs few calls.
const LINGER: Duration = Duration::from_millis(2);

/// How long a reader is left alone that is slower than the lines and was set not to be waited for.
const BUSY: Duration = Duration::from_millis(5);

/// How long a process may take to end for the sake of lines, where nobody has said how long.
const GRACE: Duration = Duration::from_secs(1);

/// Takes whole lines and never waits for whoever reads them: where there is no room a line is dropped and
/// counted. Needs no runtime, and works until the last copy is gone.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Producer>);

/// How it went until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Lines that were written.
    pub(crate) written: u64,
    /// Lines that were not, for want of room or of a reader.
    pub(crate) dropped: u64,
    /// Lines that wait.
    pub(crate) waiting: usize,
    /// Lines that wait at most.
    pub(crate) capacity: usize,
}

impl Writer {
    /// At most `lines` of together `bytes` wait for `out`. `notice` makes the line that tells how many were dropped.
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

    /// Waits until everything is written, `patience` at most, and from then on a moment for each line, as the
    /// process may end after it. `false` when lines are left: they are not waited for again.
    pub(crate) fn close(&self, patience: Duration) -> bool {
        self.0.0.close(patience)
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Writer").field(&self.numbers()).finish()
    }
}

/// A line a call.
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

/// Closes the writer when it is dropped, for a process that ends in order though nobody has told it to.
#[derive(Debug)]
pub(crate) struct Closing(pub(crate) Writer);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close(GRACE);
    }
}

/// What the copies of a writer share. The thread ends after the last of them.
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

/// The length of the next whole lines that are written at once.
fn chunk(lines: &[u8]) -> usize {
    let is_end = |byte: &u8| *byte == b'\n';
    let first = || lines.iter().position(is_end);
    match lines.get(..CHUNK) {
        None => lines.len(),
        Some(head) => head.iter().rposition(is_end).or_else(first).map_or(lines.len(), |end| end + 1),
    }
}

/// Writes lines and returns how many of them were not taken.
fn untaken(out: &mut impl Write, lines: &[u8]) -> usize {
    let mut rest = lines;
    while !rest.is_empty() {
        match uninterrupted(|| out.write(rest)) {
            Ok(taken) if taken > 0 => rest = &rest[taken..],
            Ok(_) | Err(_) => return Amount::of(rest).lines,
        }
    }
    // What the standard library has kept back is the end of a line.
    usize::from(uninterrupted(|| out.flush()).is_err())
}

/// Repeats what has not failed for good.
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
