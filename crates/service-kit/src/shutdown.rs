use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How long a stopping service may take to finish what is running, and then again to send its last spans.
pub(crate) const DRAIN: Duration = Duration::from_secs(10);

/// Tells a running service to stop: to start nothing new, and to finish what is running.
pub type Shutdown = CancellationToken;
