//! Answers to bytes that are not a valid request.
//!
//! hyper answers what it cannot read by itself, without a body, and closes the connection; no router sees it. Here the
//! router answers instead, to a request that carries the status as an extension, [`Unreadable`].

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, to_bytes};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower::ServiceExt;

/// The status of the answer to a request that could not be read. The rest of such a request is made up: the method is
/// `_OTHER`, the path `/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable(pub StatusCode);

/// Most bytes of such an answer's body.
const BODY_LIMIT: usize = 64 * 1024;

/// A connection on which a router answers instead of hyper.
pub struct Answered<S> {
    inner: S,
    router: Router,
    answering: Option<Answering>,
}

enum Answering {
    Making(Pin<Box<dyn Future<Output = Vec<u8>> + Send>>),
    /// The answer, and how much of it is written.
    Writing(Vec<u8>, usize),
}

impl<S> Answered<S> {
    pub(crate) fn new(inner: S, router: Router) -> Self {
        Self { inner, router, answering: None }
    }
}

impl<S: AsyncWrite + Unpin> Answered<S> {
    /// Writes the router's answer instead of hyper's. hyper's bytes then count as written.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.answering {
                Some(Answering::Making(making)) => {
                    let answer = ready!(making.as_mut().poll(cx));
                    self.answering = Some(Answering::Writing(answer, 0));
                }
                Some(Answering::Writing(answer, written)) if *written < answer.len() => {
                    let bytes = ready!(Pin::new(&mut self.inner).poll_write(cx, &answer[*written..]))?;
                    if bytes == 0 {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    *written += bytes;
                }
                Some(Answering::Writing(..)) | None => return Poll::Ready(Ok(())),
            }
        }
    }

    fn notice(&mut self, bytes: &[u8]) {
        if self.answering.is_none()
            && let Some((status, date)) = automatic(bytes)
        {
            self.answering = Some(Answering::Making(Box::pin(answer(self.router.clone(), status, date))));
        }
    }
}

/// The status and the date of an answer that hyper has made itself: an error without a body and with only the headers
/// that hyper adds. Our routers never answer like that. To HTTP/1.0, where connections end anyway, hyper does not say
/// `connection: close`.
fn automatic(bytes: &[u8]) -> Option<(StatusCode, Option<HeaderValue>)> {
    const OWN: [StatusCode; 3] =
        [StatusCode::BAD_REQUEST, StatusCode::URI_TOO_LONG, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE];
    let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
    let (status_line, lines) = head.split_once("\r\n")?;
    let (version, status) = status_line.split_once(' ')?;
    let status = StatusCode::from_bytes(status.as_bytes().get(..3)?).ok()?;
    let headers: Option<Vec<(&str, &str)>> = lines.split("\r\n").map(|line| line.split_once(": ")).collect();
    let (mut date, mut is_empty, mut closes) = (None, false, version == "HTTP/1.0");
    for (name, value) in headers? {
        match name.to_ascii_lowercase().as_str() {
            "date" => date = HeaderValue::from_str(value).ok(),
            "content-length" => is_empty = value == "0",
            "connection" => closes = value == "close",
            _ => return None,
        }
    }
    (OWN.contains(&status) && is_empty && closes).then_some((status, date))
}

/// The router's answer, as bytes.
async fn answer(router: Router, status: StatusCode, date: Option<HeaderValue>) -> Vec<u8> {
    let mut request = Request::new(Body::empty());
    // The name of an unknown method in OpenTelemetry's conventions.
    *request.method_mut() = Method::from_bytes(b"_OTHER").unwrap_or_default();
    request.extensions_mut().insert(Unreadable(status));
    let Ok(response) = router.oneshot(request).await;
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
    head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    head.headers.insert(CONTENT_LENGTH, body.len().into());
    head.headers.extend(date.map(|date| (DATE, date)));
    written(&Response::from_parts(head, ()), &body)
}

fn written(head: &Response<()>, body: &[u8]) -> Vec<u8> {
    let status = head.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in head.headers() {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend([b"\r\n", body].concat());
    bytes
}

impl<S: AsyncRead + Unpin> AsyncRead for Answered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Answered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.notice(bytes);
        if self.answering.is_some() {
            return self.poll_answer(cx).map_ok(|()| bytes.len());
        }
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [part] = parts {
            return self.poll_write(cx, part);
        }
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
    use super::*;

    #[test]
    fn an_answer_of_hypers_own_is_known_from_a_routers() {
        const OWN: &[u8] =
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\
            date: Tue, 15 Nov 1994 08:12:31 GMT\r\n\r\n";
        let date = HeaderValue::from_static("Tue, 15 Nov 1994 08:12:31 GMT");
        assert_eq!(automatic(OWN), Some((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Some(date))));
        let old = b"HTTP/1.0 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(automatic(old), Some((StatusCode::BAD_REQUEST, None)));
        for other in [
            &b"HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.0 400 Bad Request\r\ncontent-length: 0\r\nx-content-type-options: nosniff\r\n\r\n",
            b"\xff\r\n\r\n",
            b"",
        ] {
            assert_eq!(automatic(other), None);
        }
    }
}
