use std::time::Duration;

use anyhow::Context;
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use telemetry::http::Client;

use super::{Config, Outcome, Provider};

/// A provider with Twilio's Messages API.
#[derive(Debug)]
pub(super) struct Twilio {
    client: Client,
    endpoint: Url,
    account: String,
    token: SecretString,
    from: String,
}

impl Twilio {
    pub(super) fn new(config: &Config) -> anyhow::Result<Self> {
        let mut endpoint: Url = config.url.parse().context("sms.url is no URL")?;
        endpoint
            .path_segments_mut()
            .map_err(|()| anyhow::anyhow!("sms.url cannot be a base"))?
            .pop_if_empty()
            .extend(["2010-04-01", "Accounts", &config.account, "Messages.json"]);
        let client = Client::new(config.timeout).context("make the SMS client")?;
        let (account, token, from) = (config.account.clone(), config.token.clone(), config.from.clone());
        Ok(Self { client, endpoint, account, token, from })
    }
}

#[tonic::async_trait]
impl Provider for Twilio {
    async fn submit(&self, to: &str, text: &str, key: &str) -> Outcome {
        let form = [("To", to), ("From", &self.from), ("Body", text)];
        let request = self.client.post(self.endpoint.clone(), "/2010-04-01/Accounts/{AccountSid}/Messages.json").with(
            |request| {
                request
                    .basic_auth(&self.account, Some(self.token.expose_secret()))
                    .header("Idempotency-Key", key)
                    .form(&form)
            },
        );
        match request.send().await {
            Ok(response) => {
                let (status, retry_after) = (response.status(), retry_after(&response));
                let code = if status == StatusCode::BAD_REQUEST { error_code(response).await } else { None };
                outcome(status, code, retry_after)
            }
            Err(error) if error.is_timeout() => Outcome::Timeout,
            Err(_) => Outcome::Connection,
        }
    }
}

/// What Twilio says beside the status; its words may quote the number.
#[derive(Deserialize)]
struct Refusal {
    code: u32,
}

/// Twilio's own number for an error, if the answer has one at its beginning.
async fn error_code(mut response: Response) -> Option<u32> {
    const LIMIT: usize = 16 * 1024;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok().flatten().filter(|_| body.len() < LIMIT) {
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).ok().map(|Refusal { code }| code)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn outcome(status: StatusCode, code: Option<u32>, retry_after: Option<Duration>) -> Outcome {
    /// Twilio's errors "'From' is not a number that you can send from" and "'From' is no valid number".
    const OUR_NUMBER: [u32; 2] = [21606, 21212];
    match status {
        _ if status.is_success() => Outcome::Delivered,
        StatusCode::TOO_MANY_REQUESTS => Outcome::Throttled { retry_after },
        StatusCode::REQUEST_TIMEOUT => Outcome::Timeout,
        _ if code.is_some_and(|code| OUR_NUMBER.contains(&code)) => Outcome::ProviderError { retry_after },
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Outcome::Rejected,
        // The provider, our account or our settings are at fault and not the number: the message waits for
        // somebody to put it right.
        _ => Outcome::ProviderError { retry_after },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of(status: u16) -> Outcome {
        outcome(StatusCode::from_u16(status).unwrap(), None, None)
    }

    #[test]
    fn a_number_that_is_refused_is_refused_for_good() {
        assert_eq!(class_of(400), Outcome::Rejected);
        assert_eq!(class_of(422), Outcome::Rejected);
    }

    #[test]
    fn a_number_of_ours_that_is_refused_costs_no_message() {
        let class_of = |code| outcome(StatusCode::BAD_REQUEST, Some(code), None);
        assert_eq!(class_of(21211), Outcome::Rejected);
        for code in [21212, 21606] {
            assert_eq!(class_of(code), Outcome::ProviderError { retry_after: None }, "{code}");
        }
    }

    #[test]
    fn an_account_or_an_address_that_is_refused_costs_no_message() {
        for status in [401, 402, 403, 404, 405] {
            assert_eq!(class_of(status), Outcome::ProviderError { retry_after: None }, "{status}");
        }
    }

    #[test]
    fn whatever_else_the_provider_says_is_worth_another_try() {
        assert_eq!(class_of(201), Outcome::Delivered);
        assert_eq!(class_of(408), Outcome::Timeout);
        assert_eq!(class_of(429), Outcome::Throttled { retry_after: None });
        for status in [302, 409, 500, 503] {
            assert_eq!(class_of(status), Outcome::ProviderError { retry_after: None }, "{status}");
        }
    }
}
