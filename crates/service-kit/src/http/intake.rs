//! Limits the memory of requests that are still being received.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::attribute::CONNECTION_LIMIT;
use crate::pool::{Full, REFUSED, Share};

/// What every connection may send before it gets an answer. Nearly all requests are smaller, so they are served even
/// when no memory is left for large ones.
const OWN: usize = 16 * 1024;
/// Most bytes of one read. Hyper looks for the end of a head after each read, so no more than this of the next request
/// is read before the answer.
const AT_ONCE: usize = 8 * 1024;

/// The bytes that one connection has sent and that are not answered yet.
#[derive(Debug)]
pub(crate) struct Intake(Mutex<Held>);

#[derive(Debug)]
struct Held {
    bytes: usize,
    from_store: Share,
}

impl Intake {
    /// `from_store` is the client's share of the memory that all connections have in common for large requests, in
    /// bytes.
    pub(crate) fn new(from_store: Share) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Held { bytes: 0, from_store })))
    }

    /// Counts bytes that were read.
    ///
    /// # Errors
    /// When there is no room for them.
    fn add(&self, bytes: usize) -> Result<(), Full> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes += bytes;
        let needed = held.bytes.saturating_sub(OWN);
        held.from_store.grow_to(needed)
    }

    /// Releases the memory of a request that was answered.
    pub(crate) fn answered(&self) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes = 0;
        held.from_store.clear();
    }
}

/// A stream that counts what is read from it, and fails when there is no room for more.
#[derive(Debug)]
pub struct Counted<S> {
    inner: S,
    intake: Arc<Intake>,
}

impl<S> Counted<S> {
    pub(crate) fn new(inner: S, intake: Arc<Intake>) -> Self {
        Self { inner, intake }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = buffer.remaining().min(AT_ONCE);
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        if self.intake.add(read).is_err() {
            REFUSED.add(1, &[(CONNECTION_LIMIT, "memory")]);
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::network::Networks;
    use crate::pool::Pool;

    fn intake(store: &Arc<Pool>) -> Arc<Intake> {
        Intake::new(store.share(Ipv4Addr::LOCALHOST.into()))
    }

    fn store(bytes: usize) -> Arc<Pool> {
        Pool::new(bytes, bytes, Networks::default())
    }

    #[test]
    fn large_requests_share_a_store_and_small_ones_need_none() {
        let store = store(4000);
        let [one, two, three] = [(); 3].map(|()| intake(&store));
        one.add(OWN + 3000).unwrap();
        two.add(OWN + 1000).unwrap();
        three.add(OWN).unwrap();
        assert_eq!(three.add(1), Err(Full::All), "the store is empty");
        one.answered();
        three.add(2000).unwrap();
        assert_eq!(three.add(2000), Err(Full::All), "what the first has given back is used up");
        drop(two);
        one.add(OWN + 900).unwrap();
    }

    #[test]
    fn what_comes_in_pieces_counts_as_a_whole() {
        let intake = intake(&store(2000));
        let pieces = (0..10_000).take_while(|_| intake.add(100).is_ok()).count();
        assert_eq!(pieces, (OWN + 2000) / 100);
    }

    #[tokio::test]
    async fn a_stream_is_read_in_small_parts_until_there_is_no_room() {
        let sent = vec![7; 10 * OWN];
        let mut stream = Counted::new(sent.as_slice(), intake(&store(0)));
        let mut buffer = vec![0; sent.len()];
        assert_eq!(stream.read(&mut buffer).await.unwrap(), AT_ONCE);
        assert_eq!(stream.read(&mut buffer[..10]).await.unwrap(), 10);
        assert!(stream.read_to_end(&mut Vec::new()).await.is_err());
    }
}
