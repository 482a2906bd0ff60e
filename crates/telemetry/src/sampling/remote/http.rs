use bytes::{Bytes, BytesMut};
use reqwest::{Client, Response, Url};

use crate::config::Tls;
use crate::export::{chain, tls};

/// The longest answer that is read, in bytes.
const LONGEST: usize = 1024 * 1024;

/// A client for the JSON that Jaeger's agents and collectors answer to `/sampling?service=` and
/// `/api/sampling?service=`.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    url: Url,
}

impl Http {
    pub(super) fn new(url: &str, service: &str, tls: &Tls) -> Result<Self, String> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls::of_http(tls)?)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| chain(&error))?;
        let mut url: Url = url.parse().map_err(|error| format!("{url}: {error}"))?;
        url.query_pairs_mut().append_pair("service", service);
        Ok(Self { client, url })
    }

    pub(super) async fn ask(&self) -> Result<Bytes, String> {
        let answer = self.client.get(self.url.clone()).send().await.map_err(|error| chain(&error.without_url()))?;
        if !answer.status().is_success() {
            return Err(format!("it answers {}", answer.status()));
        }
        read(answer).await
    }
}

async fn read(mut answer: Response) -> Result<Bytes, String> {
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| chain(&error.without_url()))? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            return Err(format!("its answer is longer than {LONGEST} bytes"));
        }
    }
    Ok(body.freeze())
}
