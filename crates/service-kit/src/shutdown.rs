use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How long a stopping service may finish what it has begun; the same again to send its last spans.
pub(crate) const DRAIN: Duration = Duration::from_secs(10);

/// Tells a running service to stop: no new work, finish what is there.
pub type Shutdown = CancellationToken;
