//! How much memory may be taken up by requests that are still on their way.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use telemetry::Counter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::attribute::CONNECTION_LIMIT;

/// What every connection may send before it has an answer. It is more than nearly every request takes, so that those
/// are served however little is left for large ones.
const OWN: usize = 16 * 1024;
/// What is read at once. Hyper looks for the end of a head after each time, so that no more than this of the next
/// request is read before the answer.
const AT_ONCE: usize = 8 * 1024;
/// What is beyond a connection's own comes from all connections' common store, in units of so many bytes.
const UNIT: usize = 1024;

/// Connections closed for want of room, by the limit.
pub(crate) static REFUSED: Counter = Counter::new("epro.connection.refusals", "{connection}");

/// What all connections have in common for large requests.
#[derive(Debug, Clone)]
pub(crate) struct Store(Arc<Semaphore>);

impl Store {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / UNIT).min(Semaphore::MAX_PERMITS))))
    }

    pub(crate) fn intake(&self) -> Arc<Intake> {
        Arc::new(Intake { store: Arc::clone(&self.0), held: Mutex::default() })
    }
}

/// What one connection has sent and has no answer to.
#[derive(Debug)]
pub(crate) struct Intake {
    store: Arc<Semaphore>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    from_store: Option<OwnedSemaphorePermit>,
}

impl Intake {
    /// Counts what has been read.
    ///
    /// # Errors
    /// When it is more than there is room for.
    fn add(&self, bytes: usize) -> io::Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes += bytes;
        let needed = held.bytes.saturating_sub(OWN).div_ceil(UNIT);
        let missing = needed.saturating_sub(held.from_store.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).map_err(io::Error::other)?;
        let more = Arc::clone(&self.store).try_acquire_many_owned(missing).map_err(io::Error::other)?;
        match &mut held.from_store {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// The request is answered: what it took up is free.
    pub(crate) fn answered(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Held::default();
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
        let added = self.intake.add(read).inspect_err(|_| REFUSED.add(1, &[(CONNECTION_LIMIT, "memory")]));
        if added.is_ok() {
            buffer.advance(read);
        }
        Poll::Ready(added)
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
    use tokio::io::AsyncReadExt;

    use super::*;

    fn read(store: &Store, bytes: usize) -> (Arc<Intake>, io::Result<()>) {
        let intake = store.intake();
        let added = intake.add(bytes);
        (intake, added)
    }

    #[test]
    fn large_requests_share_a_store_and_small_ones_need_none() {
        let store = Store::new(4 * UNIT);
        let (one, added) = read(&store, OWN + 3 * UNIT);
        added.unwrap();
        let (_two, added) = read(&store, OWN + UNIT);
        added.unwrap();
        let (_three, added) = read(&store, OWN + 1);
        assert!(added.is_err(), "the store is empty");
        let (four, added) = read(&store, OWN);
        added.unwrap();
        one.answered();
        four.add(2 * UNIT).unwrap();
        assert!(
            four.add(2 * UNIT).is_err(),
            "two are left of what the first has given back, and one is needed for each"
        );
    }

    #[test]
    fn what_comes_in_pieces_counts_as_a_whole() {
        let store = Store::new(2 * UNIT);
        let intake = store.intake();
        let pieces = (0..10_000).take_while(|_| intake.add(100).is_ok()).count();
        assert_eq!(pieces, (OWN + 2 * UNIT) / 100);
        drop(intake);
        assert_eq!(store.0.available_permits(), 2, "a connection that ends gives back what it held");
    }

    #[tokio::test]
    async fn a_stream_is_read_in_small_parts_until_there_is_no_room() {
        let sent = vec![7; 10 * OWN];
        let mut stream = Counted::new(sent.as_slice(), Store::new(0).intake());
        let mut buffer = vec![0; sent.len()];
        assert_eq!(stream.read(&mut buffer).await.unwrap(), AT_ONCE);
        assert_eq!(stream.read(&mut buffer[..10]).await.unwrap(), 10);
        assert!(stream.read_to_end(&mut Vec::new()).await.is_err());
    }
}
