use std::time::Duration;

use http::StatusCode;
use telemetry::http::Client;
use traces::Trace;
use url::Url;

use crate::problem::Problem;

/// Maximum size of a trace that is read, in bytes: about twenty thousand spans.
const LARGEST: usize = 16 << 20;

/// A client of Jaeger's query API.
#[derive(Debug, Clone)]
pub(crate) struct Jaeger {
    client: Client,
    base_url: Url,
}

impl Jaeger {
    /// `base_url` is the address up to `/api/v3`.
    ///
    /// # Errors
    /// When `base_url` is not a URL.
    pub(crate) fn new(base_url: &str, timeout: Duration) -> anyhow::Result<Self> {
        let base_url = format!("{}/", base_url.trim_end_matches('/')).parse()?;
        Ok(Self { client: Client::new(timeout)?.peer("jaeger"), base_url })
    }

    /// The spans of a trace that Jaeger has stored so far, perhaps none. The id is 32 hexadecimal digits.
    pub(crate) async fn trace(&self, id: &str) -> Result<Trace, Problem> {
        let url = self.base_url.join(&format!("api/v3/traces/{id}")).map_err(|_| Problem::INTERNAL)?;
        let mut answer =
            self.client.get(url, "/api/v3/traces/{trace_id}").send().await.map_err(|_| Problem::UNAVAILABLE)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(Trace::default()),
            _ => return Err(Problem::UNAVAILABLE),
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|_| Problem::UNAVAILABLE)? {
            if body.len() + part.len() > LARGEST {
                return Err(Problem::UNAVAILABLE);
            }
            body.extend_from_slice(&part);
        }
        let mut traces = traces::read::traces(&body).map_err(|_| Problem::UNAVAILABLE)?;
        Ok(if traces.is_empty() { Trace::default() } else { traces.swap_remove(0) })
    }
}
