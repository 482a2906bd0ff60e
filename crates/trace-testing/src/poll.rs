//! Polling: repeats a question until the answer is the wanted one, for state that sends no notification of its changes.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(100);

/// Asks until the answer is good or the deadline has passed. Returns the last answer in both cases.
///
/// # Errors
/// The first error of `ask`.
pub async fn until<T>(
    deadline: Duration,
    mut ask: impl AsyncFnMut() -> anyhow::Result<T>,
    good: impl Fn(&T) -> bool,
) -> anyhow::Result<T> {
    let end = Instant::now() + deadline;
    loop {
        let answer = ask().await?;
        if good(&answer) || Instant::now() >= end {
            return Ok(answer);
        }
        sleep(PAUSE).await;
    }
}
