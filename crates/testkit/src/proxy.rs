//! A TCP proxy that can drop all traffic silently or reset connections, as a NAT, a firewall or a failover may do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
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

/// How the proxy treats connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Network {
    /// Connections of an earlier generation are not forwarded any more.
    generation: u64,
    /// New connections are not forwarded either.
    partitioned: bool,
    /// New connections are reset as soon as something is sent on them.
    resetting: bool,
    /// On a new connection, nothing more is forwarded from the target once it has sent this.
    last_words: Option<&'static str>,
}

impl Proxy {
    /// Listens on a free port of the loopback interface and forwards connections to `target`.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(target: SocketAddr) -> anyhow::Result<Self> {
        Self::start_on(ANY_PORT, target).await
    }

    /// As [`Proxy::start`], on another address.
    ///
    /// # Errors
    /// When the address is in use.
    pub async fn start_on(address: SocketAddr, target: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.context("bind a proxy")?;
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

    /// Stops forwarding on the connections that are open, in both directions. They stay open: the kernel still accepts
    /// and acknowledges what is sent on them, so neither side notices. New connections work.
    pub fn silence(&self) {
        self.network.send_modify(|network| network.generation += 1);
    }

    /// As [`Proxy::silence`]; new connections are also accepted but not forwarded, until [`Proxy::restore`].
    pub fn partition(&self) {
        self.network.send_modify(|network| {
            *network = Network { generation: network.generation + 1, partitioned: true, ..*network }
        });
    }

    /// Resets new connections as soon as something is sent on them, until [`Proxy::restore`].
    pub fn reset(&self) {
        self.network.send_modify(|network| {
            *network = Network { generation: network.generation + 1, resetting: true, ..*network }
        });
    }

    /// On new connections, forwards what the target sends up to and including `word`, and nothing after it. The other
    /// direction is still forwarded.
    pub fn fall_silent_after(&self, word: &'static str) {
        self.network.send_modify(|network| {
            *network = Network { generation: network.generation + 1, last_words: Some(word), ..*network }
        });
    }

    /// Forwards new connections again. Connections from before or during a partition stay silent.
    pub fn restore(&self) {
        self.network
            .send_modify(|network| *network = Network { generation: network.generation + 1, ..Network::default() });
    }

    /// Whether the target has sent anything on a connection that was opened since the last change.
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
        // Closing with unread data and without lingering sends a reset to the client.
        let _ = (near.peek(&mut [0]).await, near.set_zero_linger());
        return;
    }
    let Ok(far) = TcpStream::connect(target).await else { return };
    // Without this the proxy would add delays to small messages.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    if let Some(word) = born.last_words {
        return silent_after(word, near, far).await;
    }
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

/// Forwards both directions until the target has sent `word`. After that, only the direction to the target.
async fn silent_after(word: &str, near: TcpStream, far: TcpStream) {
    let ((mut requests, mut near), (mut answers, mut far)) = (near.into_split(), far.into_split());
    let answering = async {
        let (mut said, mut length) = ([0; 1024], 1);
        while length > 0 && !said[..length].windows(word.len()).any(|part| part == word.as_bytes()) {
            length = answers.read(&mut said).await?;
            near.write_all(&said[..length]).await?;
        }
        std::future::pending::<std::io::Result<()>>().await
    };
    // The connection ends when either side closes it.
    let _ = tokio::select! {
        asked = tokio::io::copy(&mut requests, &mut far) => asked.map(drop),
        answered = answering => answered,
    };
}

/// Keeps a connection open, without forwarding, until the client closes it.
async fn silent<T>(mut near: TcpStream, _far: Option<T>) {
    let _ = tokio::io::copy(&mut near, &mut tokio::io::sink()).await;
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

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
        proxy.restore();
        let answer = async {
            let (mut stream, _) = target.accept().await?;
            stream.write_all(b"!").await
        };
        let (read, answered) = tokio::join!(ask(), answer);
        answered?;
        assert_eq!(read?, 1);
        Ok(())
    }

    #[tokio::test]
    async fn what_the_target_says_after_its_last_words_does_not_arrive_and_what_it_is_told_does() -> anyhow::Result<()>
    {
        let target = TcpListener::bind(ANY_PORT).await?;
        let proxy = Proxy::start(target.local_addr()?).await?;
        proxy.fall_silent_after("354 ");
        let mut near = TcpStream::connect(proxy.address()).await?;
        let (mut far, _) = target.accept().await?;
        far.write_all(b"354 go on").await?;
        let mut said = [0; 9];
        near.read_exact(&mut said).await?;
        assert_eq!(&said, b"354 go on");
        far.write_all(b"250 taken").await?;
        near.write_all(b"text").await?;
        let mut told = [0; 4];
        far.read_exact(&mut told).await?;
        assert_eq!(&told, b"text");
        // Anything more from the target would have arrived before the end of its connection.
        drop(far);
        assert_eq!(near.try_read(&mut said).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
        Ok(())
    }
}
