//! A TCP proxy that can fall silent or reset connections: what a NAT, a firewall or a failover does to them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::io::InspectReader;

use crate::server_task::{ANY_PORT, ServerTask};

/// Forwards connections to one address. Dropping it frees its port and closes its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    network: watch::Sender<Network>,
    answered: Arc<AtomicU64>,
    _server: ServerTask,
}

/// What the proxy does with connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Network {
    /// Connections of earlier ones are not forwarded any more.
    generation: u64,
    /// Nor are new ones.
    partitioned: bool,
    /// New ones are reset as soon as something is sent on them.
    resetting: bool,
}

impl Proxy {
    /// Listens on a free port of the loopback interface, for connections to `target`.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(target: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(ANY_PORT).await.context("bind a proxy")?;
        let address = listener.local_addr().context("the address of a proxy")?;
        let (network, state) = watch::channel(Network::default());
        let answered = Arc::new(AtomicU64::new(0));
        let note = Arc::clone(&answered);
        let server = ServerTask::spawn(|stopped| async move {
            tokio::select! {
                () = serve(listener, target, state, note) => {}
                () = stopped.wait() => {}
            }
        });
        Ok(Self { address, network, answered, _server: server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forwards nothing more on the connections that are open, in neither direction. They stay open, what is sent on
    /// them is taken and acknowledged by the kernel, and nobody is told. New connections work.
    pub fn silence(&self) {
        self.network.send_modify(|network| network.generation += 1);
    }

    /// As [`Proxy::silence`], and new connections are taken and silent too, until [`Proxy::heal`].
    pub fn partition(&self) {
        self.network.send_modify(|network| {
            *network = Network { generation: network.generation + 1, partitioned: true, ..*network }
        });
    }

    /// Resets new connections as soon as something is sent on them, until [`Proxy::heal`].
    pub fn reset(&self) {
        self.network.send_modify(|network| {
            *network = Network { generation: network.generation + 1, resetting: true, ..*network }
        });
    }

    /// Forwards new connections again. Those that a partition has met stay silent.
    pub fn heal(&self) {
        self.network
            .send_modify(|network| *network = Network { generation: network.generation + 1, ..Network::default() });
    }

    /// Whether the target has said anything on a connection that was opened since the last change.
    pub fn is_in_use(&self) -> bool {
        self.answered.load(Ordering::Relaxed) == self.network.borrow().generation
    }
}

async fn serve(listener: TcpListener, target: SocketAddr, state: watch::Receiver<Network>, answered: Arc<AtomicU64>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(forward(stream, target, state.clone(), Arc::clone(&answered)));
        while connections.try_join_next().is_some() {}
    }
}

async fn forward(
    mut near: TcpStream,
    target: SocketAddr,
    mut state: watch::Receiver<Network>,
    answered: Arc<AtomicU64>,
) {
    let born = *state.borrow_and_update();
    if born.partitioned {
        return silent(near, None::<TcpStream>).await;
    }
    if born.resetting {
        // Closed with something unread, and without a farewell, it is a reset to the other side.
        let _ = (near.readable().await, near.set_zero_linger());
        return;
    }
    let Ok(far) = TcpStream::connect(target).await else { return };
    // Small messages back and forth, as without a proxy.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (answers, requests) = far.into_split();
    let heard = |_: &[u8]| {
        answered.fetch_max(born.generation, Ordering::Relaxed);
    };
    let mut far = tokio::io::join(InspectReader::new(answers, heard), requests);
    let fallen_silent = async { state.wait_for(|now| now.generation != born.generation).await.is_ok() };
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        silenced = fallen_silent => if silenced { silent(near, Some(far)).await },
    }
}

/// Keeps a connection open until its caller has closed it.
async fn silent<T>(mut near: TcpStream, _far: Option<T>) {
    let _ = tokio::io::copy(&mut near, &mut tokio::io::sink()).await;
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_connection_is_reset_once_something_is_sent_on_it_until_the_network_is_well_again() -> anyhow::Result<()>
    {
        let target = TcpListener::bind(ANY_PORT).await?;
        let proxy = Proxy::start(target.local_addr()?).await?;
        let ask = async || {
            let mut stream = TcpStream::connect(proxy.address()).await?;
            stream.write_all(b"?").await?;
            stream.read(&mut [0]).await
        };
        proxy.reset();
        assert_eq!(ask().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        proxy.heal();
        let answer = async {
            let (mut stream, _) = target.accept().await?;
            stream.write_all(b"!").await
        };
        let (read, answered) = tokio::join!(ask(), answer);
        answered?;
        assert_eq!(read?, 1);
        Ok(())
    }
}
