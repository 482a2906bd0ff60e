use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Authority;
use crate::export::tests::PATIENCE;

/// A receiver over HTTP that keeps the heads of requests.
pub(in crate::export::tests) struct Http {
    address: SocketAddr,
    secure: bool,
    heads: watch::Receiver<Vec<String>>,
}

/// What an HTTP receiver does with a request.
#[derive(Debug, Clone)]
pub(in crate::export::tests) enum Answer {
    /// A status, further lines of the head and a body.
    With(&'static str, &'static str, Vec<u8>),
    /// A head, and a body without an end.
    Endless,
    Nothing,
}

impl Http {
    pub(in crate::export::tests) async fn start(authority: Option<&Authority>) -> Self {
        Self::serve(authority, vec![Answer::With("200 OK", "", Vec::new())]).await
    }

    /// Gives these answers in order and then repeats the last one.
    pub(in crate::export::tests) async fn answering(answers: Vec<Answer>) -> Self {
        Self::serve(None, answers).await
    }

    async fn serve(authority: Option<&Authority>, answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (kept, heads) = watch::channel(Vec::new());
        let acceptor = authority.map(Authority::acceptor);
        let (kept, answers) = (Arc::new(kept), Arc::new(answers));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, kept, answers) = (acceptor.clone(), Arc::clone(&kept), Arc::clone(&answers));
                tokio::spawn(async move {
                    match acceptor {
                        None => answer(stream, &kept, &answers).await,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => answer(stream, &kept, &answers).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { address, secure: authority.is_some(), heads }
    }

    pub(in crate::export::tests) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(in crate::export::tests) fn endpoint(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.address)
    }

    pub(in crate::export::tests) fn heads(&self) -> Vec<String> {
        self.heads.borrow().clone()
    }

    pub(in crate::export::tests) async fn wait_for(&self, requests: usize) {
        let mut heads = self.heads.clone();
        tokio::time::timeout(PATIENCE, heads.wait_for(|heads| heads.len() >= requests)).await.unwrap().unwrap();
    }
}

/// Answers requests in order; `None` when the client closes the connection.
async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    heads: &watch::Sender<Vec<String>>,
    answers: &[Answer],
) -> Option<()> {
    let mut received = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut received).await.ok()? == 0 {
                return None;
            }
        };
        let text = String::from_utf8(received[..head].to_vec()).unwrap().to_lowercase();
        let length: usize = text.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
        while received.len() < head + length {
            stream.read_buf(&mut received).await.ok()?;
        }
        received.drain(..head + length);
        let text = text.replacen("post", "POST", 1).replacen("http/1.1", "HTTP/1.1", 1);
        let mut number = 0;
        heads.send_modify(|heads| {
            number = heads.len();
            heads.push(text);
        });
        match answers.get(number).or(answers.last())? {
            Answer::With(status, more, body) => {
                let head = format!("HTTP/1.1 {status}\r\n{more}content-length: {}\r\n\r\n", body.len());
                stream.write_all(&[head.as_bytes(), body].concat()).await.ok()?;
            }
            Answer::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.ok()?;
                loop {
                    stream.write_all(b"4\r\nmore\r\n").await.ok()?;
                }
            }
            Answer::Nothing => std::future::pending().await,
        }
    }
}
