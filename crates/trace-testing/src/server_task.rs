//! A server on a port of this process that can be stopped.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long open connections may take to finish before they are cut.
const GRACE: Duration = Duration::from_millis(500);

/// A server task; dropping it frees its port.
#[derive(Debug)]
pub struct ServerTask {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl ServerTask {
    /// Spawns the future that `serve` returns. The future must end soon after its argument resolves.
    pub fn spawn<F>(serve: impl FnOnce(Stopped) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        Self { stop: Some(stop), task: tokio::spawn(serve(Stopped(stopped))) }
    }

    /// An HTTP/1 server for `router`.
    pub fn http(listener: tokio::net::TcpListener, router: axum::Router) -> Self {
        Self::spawn(|stopped| async move {
            // This fails only when the listener fails, and then the clients see an error too.
            let _ = axum::serve(listener, router).with_graceful_shutdown(stopped.wait()).await;
        })
    }

    /// Closes the port and the connections.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if timeout(GRACE, &mut self.task).await.is_err() {
            self.task.abort();
            let _ = (&mut self.task).await;
        }
    }
}

impl Drop for ServerTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Resolves when the server must stop.
#[derive(Debug)]
pub struct Stopped(oneshot::Receiver<()>);

impl Stopped {
    pub async fn wait(self) {
        // Nothing is ever sent: dropping the sender is the signal to stop.
        let _ = self.0.await;
    }
}

/// A free port of the loopback interface.
pub const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
