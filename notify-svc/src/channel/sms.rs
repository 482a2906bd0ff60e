use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::Context;
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use telemetry::http::Client;
use tokio::sync::Semaphore;

use super::{Channel, Message, Outcome};

/// The `sms:` block: a provider with Twilio's Messages API.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// `https://host`
    url: String,
    /// Account SID, also the user name.
    account: String,
    /// The account's secret.
    token: String,
    /// The sender's number, E.164.
    from: String,
    /// How long one message may take.
    #[serde(with = "humantime_serde")]
    timeout: Duration,
    /// Messages handed over at the same time.
    concurrency: NonZeroUsize,
}

/// The longest wait a provider may ask for.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// Text messages through a Twilio-shaped provider.
#[derive(Debug)]
pub(crate) struct Sms {
    client: Client,
    endpoint: Url,
    config: Config,
    permits: Semaphore,
}

impl Sms {
    pub(crate) fn new(config: Config) -> anyhow::Result<Self> {
        let mut endpoint: Url = config.url.parse().context("sms.url is no URL")?;
        endpoint
            .path_segments_mut()
            .map_err(|()| anyhow::anyhow!("sms.url cannot be a base"))?
            .pop_if_empty()
            .extend(["2010-04-01", "Accounts", &config.account, "Messages.json"]);
        let client = Client::new(config.timeout).context("make the SMS client")?;
        Ok(Self { client, endpoint, permits: Semaphore::new(config.concurrency.get()), config })
    }
}

#[tonic::async_trait]
impl Channel for Sms {
    fn task(&self) -> &'static str {
        "send sms"
    }

    fn template(&self) -> &'static str {
        "sms"
    }

    async fn send(&self, message: Message) -> Outcome {
        if message.contact.phone.is_empty() {
            return Outcome::NoRecipient;
        }
        let waiting = tokio::time::timeout(self.config.timeout, self.permits.acquire());
        let Ok(Ok(_permit)) = waiting.await else { return Outcome::Temporary { retry_after: None } };
        let form = [("To", &message.contact.phone), ("From", &self.config.from), ("Body", &message.text)];
        let request = self.client.post(self.endpoint.clone(), "/2010-04-01/Accounts/{AccountSid}/Messages.json").with(
            |request| {
                request
                    .basic_auth(&self.config.account, Some(&self.config.token))
                    .header("Idempotency-Key", &message.notification_id)
                    .form(&form)
            },
        );
        match request.send().await {
            Ok(response) => outcome(&response),
            Err(_) => Outcome::Temporary { retry_after: None },
        }
    }
}

fn outcome(response: &Response) -> Outcome {
    let status = response.status();
    if status.is_success() {
        Outcome::Delivered
    } else if status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
    {
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Outcome::Temporary { retry_after: seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT)) }
    } else {
        Outcome::Permanent
    }
}
