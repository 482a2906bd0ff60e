//! Waiting for what nobody announces: another program's answer that changes with time.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(100);

/// Asks until the answer is good, or the deadline has passed; gives the last answer either way.
///
/// # Errors
/// Whatever asking fails with.
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
