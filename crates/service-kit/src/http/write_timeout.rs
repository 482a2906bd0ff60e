use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long a peer may accept nothing of what is sent to it. By then, all buffers in between are full. A phone on the
/// worst network empties some of them in that time, but a client that reads nothing at all loses its connection.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A stream that fails with [`io::ErrorKind::TimedOut`] when a write has waited too long.
#[derive(Debug)]
pub struct WriteTimeout<S> {
    inner: S,
    /// Runs while a write waits.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S: Unpin> WriteTimeout<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, timer: None }
    }

    /// Polls the stream. The timeout runs while the stream is not ready.
    fn poll_in_time<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let polled = poll(Pin::new(&mut self.inner), cx);
        if polled.is_ready() {
            self.timer = None;
            return polled;
        }
        ready!(self.timer.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT))).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_in_time(cx, |inner, cx| inner.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_in_time(cx, |inner, cx| inner.poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_in_time(cx, S::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_in_time(cx, S::poll_shutdown)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_in_nothing_is_given_up() {
        let (stream, _peer) = duplex(4);
        let mut stream = WriteTimeout::new(stream);
        let started = Instant::now();
        let error = stream.write_all(b"more than it holds").await.unwrap_err();
        assert_eq!((error.kind(), started.elapsed().as_secs()), (io::ErrorKind::TimedOut, WRITE_TIMEOUT.as_secs()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_in_a_little_at_a_time_is_not() {
        let (stream, mut peer) = duplex(1);
        let mut stream = WriteTimeout::new(stream);
        let reading = async {
            for _ in 0..3 {
                sleep(WRITE_TIMEOUT.mul_f32(0.9)).await;
                peer.read_exact(&mut [0]).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(stream.write_all(b"four"), reading);
        written.unwrap();
    }
}
