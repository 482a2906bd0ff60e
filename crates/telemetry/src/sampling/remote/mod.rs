//! Jaeger's [remote sampling](https://www.jaegertracing.io/docs/2.dev/architecture/sampling/#remote-sampling): a server
//! gives the strategy for roots, and is polled.

mod http;
mod strategy;
mod wire;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use prost::Message;
use tokio::time::{sleep, timeout};

use crate::config::settings::{Otlp, Protocol};
use crate::config::{JaegerRemote, Tls};
use crate::export::Sender;
use http::Http;
pub(super) use strategy::{Strategy, Verdict};
use wire::{Parameters, Response};

/// The RPC that gives a strategy.
const METHOD: &str = "/jaeger.api_v2.SamplingManager/GetSamplingStrategy";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The strategy in force, shared by all clones.
#[derive(Debug, Clone)]
pub(super) struct Remote(Arc<RwLock<Arc<Strategy>>>);

impl Remote {
    pub(super) fn new(config: &JaegerRemote) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(Strategy::initial(config.initial_ratio)))))
    }

    pub(super) fn strategy(&self) -> Arc<Strategy> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Polls the strategy of `service` without end.
    pub(super) async fn follow(self, config: JaegerRemote, service: String, tls: Tls) {
        let server = Server::new(&config, &service, &tls);
        let patience = PATIENCE.min(config.interval);
        let (mut last, mut failing) = (None, false);
        loop {
            let answer = timeout(patience, server.ask(patience)).await;
            let answer = answer.unwrap_or_else(|_| Err("no answer in time".to_owned()));
            match answer.and_then(|response| self.take(response, &mut last)) {
                Ok(()) => {
                    if std::mem::take(&mut failing) {
                        tracing::info!("sampling strategies are available again");
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(
                            error,
                            endpoint = config.endpoint,
                            "no sampling strategy is available, the last one stays in force"
                        );
                    }
                }
            }
            sleep(config.interval).await;
        }
    }

    /// Puts an answer in force if it differs from the last one.
    fn take(&self, response: Response, last: &mut Option<Response>) -> Result<(), String> {
        if last.as_ref() == Some(&response) {
            return Ok(());
        }
        let strategy = Strategy::new(&response, &self.strategy()).map_err(|wrong| format!("unusable: {wrong}"))?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(strategy);
        *last = Some(response);
        Ok(())
    }
}

/// The server that is polled: over HTTP if its URL has a path, else over gRPC.
enum Server {
    Grpc {
        sender: Sender,
        request: Vec<u8>,
    },
    Http(Http),
    /// The server cannot be polled, and why.
    None(String),
}

impl Server {
    fn new(config: &JaegerRemote, service: &str, tls: &Tls) -> Self {
        let endpoint = match config.endpoint.parse::<::http::Uri>() {
            Ok(endpoint) if endpoint.scheme().is_some() => endpoint,
            _ => return Self::None("the endpoint is not a URL".to_owned()),
        };
        if endpoint.path() != "/" {
            return Http::new(&config.endpoint, service, tls).map_or_else(Self::None, Self::Http);
        }
        let otlp = Otlp {
            protocol: Protocol::Grpc,
            endpoint,
            headers: Vec::new(),
            gzip: false,
            timeout: Some(PATIENCE.min(config.interval)),
            tls: tls.clone(),
        };
        let request = Parameters { service_name: service.to_owned() }.encode_to_vec();
        Self::Grpc { sender: Sender::new(&otlp, METHOD), request }
    }

    async fn ask(&self, patience: Duration) -> Result<Response, String> {
        match self {
            Self::None(why) => Err(why.clone()),
            Self::Grpc { sender, request } => {
                let answer = sender.send(request.clone().into(), sleep(patience)).await;
                let answer = answer.map_err(|failure| failure.message)?;
                Response::decode(answer).map_err(|error| format!("invalid answer: {error}"))
            }
            Self::Http(http) => {
                let answer = http.ask().await?;
                serde_json::from_slice(&answer).map_err(|error| format!("invalid answer: {error}"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
