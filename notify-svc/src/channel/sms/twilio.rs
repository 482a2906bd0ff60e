use std::time::Duration;

use anyhow::Context;
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode, Url};
use telemetry::http::Client;

use super::{Config, Outcome, Provider};

/// A provider with Twilio's Messages API.
#[derive(Debug)]
pub(super) struct Twilio {
    client: Client,
    endpoint: Url,
    account: String,
    token: String,
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
            |request| request.basic_auth(&self.account, Some(&self.token)).header("Idempotency-Key", key).form(&form),
        );
        match request.send().await {
            Ok(response) => outcome(response.status(), retry_after(&response)),
            Err(error) if error.is_timeout() => Outcome::Timeout,
            Err(_) => Outcome::Connection,
        }
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn outcome(status: StatusCode, retry_after: Option<Duration>) -> Outcome {
    match status {
        _ if status.is_success() => Outcome::Delivered,
        StatusCode::TOO_MANY_REQUESTS => Outcome::Throttled { retry_after },
        StatusCode::REQUEST_TIMEOUT => Outcome::Timeout,
        // Our account is at fault and not the number: the message waits for somebody to put it right.
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => {
            Outcome::ProviderError { retry_after }
        }
        _ if status.is_client_error() => Outcome::Rejected,
        _ => Outcome::ProviderError { retry_after },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of(status: u16) -> Outcome {
        outcome(StatusCode::from_u16(status).unwrap(), None)
    }

    #[test]
    fn a_number_that_is_refused_is_refused_for_good() {
        assert_eq!(class_of(400), Outcome::Rejected);
        assert_eq!(class_of(404), Outcome::Rejected);
    }

    #[test]
    fn an_account_that_is_refused_costs_no_message() {
        for status in [401, 402, 403] {
            assert_eq!(class_of(status), Outcome::ProviderError { retry_after: None }, "{status}");
        }
    }

    #[test]
    fn whatever_else_the_provider_says_is_worth_another_try() {
        assert_eq!(class_of(201), Outcome::Delivered);
        assert_eq!(class_of(408), Outcome::Timeout);
        assert_eq!(class_of(429), Outcome::Throttled { retry_after: None });
        for status in [302, 500, 503] {
            assert_eq!(class_of(status), Outcome::ProviderError { retry_after: None }, "{status}");
        }
    }
}
