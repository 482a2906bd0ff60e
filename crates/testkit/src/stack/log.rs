//! The log lines of a service.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::watch;
use tokio::time::timeout;

/// The most lines that are kept for each service. Older ones are dropped.
const CAPACITY: usize = 20_000;
/// The most lines that an error message quotes.
const QUOTED: usize = 20;

/// The log lines of all services, over their restarts. Does not borrow the stack.
#[derive(Debug, Clone)]
pub struct Logs(pub(super) Vec<Arc<Log>>);

impl Logs {
    /// The lines of a trace, oldest first. The id is hexadecimal.
    pub fn of_trace(&self, trace_id: &str) -> Vec<Value> {
        of_trace(self.all(), trace_id)
    }

    /// All lines.
    pub fn all(&self) -> Vec<Value> {
        self.0.iter().flat_map(|log| log.all()).collect()
    }
}

/// The lines of one trace, oldest first.
pub(crate) fn of_trace(mut lines: Vec<Value>, trace_id: &str) -> Vec<Value> {
    lines.retain(|line| line["trace_id"] == trace_id);
    in_order(lines)
}

/// Sorts lines by time, oldest first.
pub(crate) fn in_order(mut lines: Vec<Value>) -> Vec<Value> {
    lines.sort_by(|one, other| one["timestamp"].as_str().cmp(&other["timestamp"].as_str()));
    lines
}

/// The log of one service, over its restarts.
#[derive(Debug)]
pub(super) struct Log {
    lines: watch::Sender<VecDeque<Value>>,
}

impl Default for Log {
    fn default() -> Self {
        Self { lines: watch::Sender::new(VecDeque::new()) }
    }
}

impl Log {
    pub(super) fn all(&self) -> Vec<Value> {
        self.lines.borrow().iter().cloned().collect()
    }

    pub(super) async fn wait_for(&self, deadline: Duration, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let mut lines = self.lines.subscribe();
        let arrived = lines.wait_for(|lines| lines.iter().any(&wanted));
        if let Ok(Ok(lines)) = timeout(deadline, arrived).await
            && let Some(line) = lines.iter().find(|line| wanted(line))
        {
            return Ok(line.clone());
        }
        bail!("no such line within {deadline:?}; the last lines:\n{self}")
    }

    /// Records lines until the input ends. A line that is not JSON becomes `{"message", "stream"}`.
    pub(super) async fn follow(&self, stream: &str, input: impl AsyncRead + Unpin, each: impl Fn(&Value)) {
        let mut input = BufReader::new(input);
        let mut bytes = Vec::new();
        // Reads bytes instead of text, because output that is not UTF-8 must not stop the reading and block the
        // service.
        while matches!(input.read_until(b'\n', &mut bytes).await, Ok(1..)) {
            let text = String::from_utf8_lossy(&bytes);
            let line = serde_json::from_str(text.trim_end())
                .unwrap_or_else(|_| json!({"message": text.trim_end(), "stream": stream}));
            each(&line);
            self.record(line);
            bytes.clear();
        }
    }

    fn record(&self, line: Value) {
        self.lines.send_modify(|lines| {
            if lines.len() == CAPACITY {
                lines.pop_front();
            }
            lines.push_back(line);
        });
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines.borrow();
        lines.iter().skip(lines.len().saturating_sub(QUOTED)).try_for_each(|line| writeln!(f, "  {line}"))
    }
}
