use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Numbers;

/// The shortest time between two notices of dropped lines.
const NOTICE: Duration = Duration::from_mins(1);

/// How long each line is waited for once the queue is closed.
const PATIENCE: Duration = Duration::from_millis(100);

/// How much of a buffer is kept for the next lines, in bytes.
const KEPT: usize = 256 * 1024;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Amount {
    pub(super) lines: usize,
    pub(super) bytes: usize,
}

impl Amount {
    pub(super) fn of(lines: &[u8]) -> Self {
        Self { lines: lines.split(|byte| *byte == b'\n').count().saturating_sub(1), bytes: lines.len() }
    }
}

/// Lines on their way to the thread that writes them.
pub(super) struct Queue {
    limit: Amount,
    state: Mutex<State>,
    /// Wakes the thread.
    work: Condvar,
    /// Wakes callers that wait until everything is written.
    settled: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    waiting: Amount,
    /// What the thread has taken and not written yet.
    taken: Amount,
    /// Whether the thread sleeps until it is woken.
    idle: bool,
    mode: Mode,
    /// Whether the last lines could not be written: then a notice could not be either.
    refused: bool,
    written: u64,
    dropped: u64,
    /// How many of the dropped lines have been reported, and when last.
    told: u64,
    told_at: Option<Instant>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Mode {
    #[default]
    Running,
    /// The process may end after each line, so each line is waited for.
    Closing,
    /// A wait has timed out, so nothing is waited for any more.
    Stuck,
    /// No more lines will come.
    Ended,
}

impl State {
    fn used(&self) -> Amount {
        Amount { lines: self.waiting.lines + self.taken.lines, bytes: self.waiting.bytes + self.taken.bytes }
    }

    fn unreported(&self) -> u64 {
        self.dropped - self.told
    }

    /// The time until dropped lines are reported. `None` if there are none or they cannot be reported.
    fn until_notice(&self) -> Option<Duration> {
        if self.unreported() == 0 || self.refused {
            None
        } else if self.mode == Mode::Running {
            Some(self.told_at.map_or(Duration::ZERO, |at| NOTICE.saturating_sub(at.elapsed())))
        } else {
            Some(Duration::ZERO)
        }
    }

    fn is_settled(&self) -> bool {
        self.used().lines == 0 && self.until_notice() != Some(Duration::ZERO)
    }
}

impl Queue {
    pub(super) fn new(limit: Amount) -> Self {
        Self { limit, state: Mutex::default(), work: Condvar::new(), settled: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn numbers(&self) -> Numbers {
        let state = self.lock();
        let (waiting, capacity) = (state.used().lines, self.limit.lines);
        Numbers { written: state.written, dropped: state.dropped, waiting, capacity }
    }

    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        let used = state.used();
        if used.lines >= self.limit.lines || used.bytes + line.len() > self.limit.bytes {
            state.dropped += 1;
            return;
        }
        let was_hasty = self.is_hasty(&state);
        state.lines.extend_from_slice(line);
        state.waiting.lines += 1;
        state.waiting.bytes += line.len();
        if state.idle || (!was_hasty && self.is_hasty(&state)) {
            state.idle = false;
            self.work.notify_one();
        }
        if state.mode == Mode::Closing {
            self.settle(state, PATIENCE);
        }
    }

    pub(super) fn close(&self, patience: Duration) -> bool {
        let mut state = self.lock();
        if state.mode != Mode::Running {
            return state.is_settled();
        }
        state.mode = Mode::Closing;
        self.work.notify_one();
        self.settle(state, patience)
    }

    /// Waits until everything is written.
    fn settle(&self, state: MutexGuard<'_, State>, patience: Duration) -> bool {
        let waited = self.settled.wait_timeout_while(state, patience, |state| !state.is_settled());
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            state.mode = Mode::Stuck;
        }
        !waited.timed_out()
    }

    pub(super) fn end(&self) {
        self.lock().mode = Mode::Ended;
        self.work.notify_one();
    }

    /// Whether the thread should write at once: more than half of the room is used, or the queue is closed.
    fn is_hasty(&self, state: &State) -> bool {
        let used = state.used();
        used.lines > self.limit.lines / 2 || used.bytes > self.limit.bytes / 2 || state.mode != Mode::Running
    }

    /// Waits for lines and moves them into `lines`; `false` if no more will come.
    pub(super) fn take(&self, lines: &mut Vec<u8>, notice: impl Fn(&mut Vec<u8>, u64)) -> bool {
        lines.clear();
        lines.shrink_to(KEPT);
        let mut state = self.lock();
        loop {
            let until_notice = state.until_notice();
            // A notice must fit into the queue too.
            if until_notice == Some(Duration::ZERO) && state.waiting.lines < self.limit.lines {
                let unreported = state.unreported();
                notice(&mut state.lines, unreported);
                (state.told, state.told_at) = (state.dropped, Some(Instant::now()));
                state.waiting = Amount::of(&state.lines);
            }
            if !state.lines.is_empty() {
                break;
            }
            if state.mode == Mode::Ended {
                return false;
            }
            state.idle = true;
            state = match until_notice {
                Some(time) => self.work.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0,
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.idle = false;
        }
        mem::swap(&mut state.lines, lines);
        state.taken = mem::take(&mut state.waiting);
        true
    }

    /// Counts lines that the thread has finished: the last `untaken` of them were dropped, the others written.
    pub(super) fn written(&self, amount: Amount, untaken: usize) {
        let mut state = self.lock();
        state.taken.lines -= amount.lines;
        state.taken.bytes -= amount.bytes;
        state.written += (amount.lines - untaken) as u64;
        state.dropped += untaken as u64;
        state.refused = untaken > 0;
        if state.is_settled() {
            self.settled.notify_all();
        }
    }

    /// Waits for more lines before the next write.
    pub(super) fn linger(&self, time: Duration) {
        let _ = self.work.wait_timeout_while(self.lock(), time, |state| !self.is_hasty(state));
    }
}
