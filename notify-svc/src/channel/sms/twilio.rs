use std::time::{Duration, SystemTime};

use anyhow::Context;
use reqwest::{Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use telemetry::http::{Client, Error};
use telemetry::retry_after;

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
        let client = reqwest::Client::builder()
            .connect_timeout(config.timeout)
            .timeout(config.limit())
            .redirect(redirect::Policy::none())
            // Of many that a network has let fall silent, each would cost another attempt.
            .pool_max_idle_per_host(2)
            .build()
            .context("make the SMS client")?;
        let (account, token, from) = (config.account.clone(), config.token.clone(), config.from.clone());
        Ok(Self { client: client.into(), endpoint, account, token, from })
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
                let (status, retry_after) = (response.status(), retry_after(response.headers(), SystemTime::now()));
                outcome(status, document(response).await, retry_after)
            }
            Err(error) => unanswered(&error),
        }
    }
}

/// What an answer of the provider's says beside its status; its words may quote the number.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct Document {
    /// Of a message that was taken.
    sid: Option<String>,
    /// Twilio's own number for an error.
    code: Option<u32>,
}

/// An answer's body, as far as it is one of the provider's: somebody in between may have answered. `None` when it did
/// not arrive.
async fn document(mut response: Response) -> Option<Document> {
    const LIMIT: usize = 16 * 1024;
    let mut body = Vec::new();
    while body.len() < LIMIT {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => return None,
        }
    }
    Some(serde_json::from_slice(&body).unwrap_or_default())
}

/// What a request came to that has no answer. Once there is a connection, the provider may have had it.
fn unanswered(error: &Error) -> Outcome {
    if error.is_builder() {
        Outcome::ProviderError { retry_after: None }
    } else if !error.is_connect() {
        Outcome::Uncertain
    } else if error.is_timeout() {
        Outcome::Timeout
    } else {
        Outcome::Connection
    }
}

fn outcome(status: StatusCode, document: Option<Document>, retry_after: Option<Duration>) -> Outcome {
    let is_lost = document.is_none();
    let Document { sid, code } = document.unwrap_or_default();
    match status {
        _ if status.is_success() && (is_lost || sid.is_some()) => Outcome::Delivered,
        // Somebody has said yes who does not know the message, or whoever asked the provider has no answer.
        _ if status.is_success() || status == StatusCode::GATEWAY_TIMEOUT => Outcome::Uncertain,
        StatusCode::REQUEST_TIMEOUT => Outcome::Timeout,
        StatusCode::TOO_MANY_REQUESTS => Outcome::Throttled { retry_after },
        _ if code == Some(QUEUE_FULL) => Outcome::Throttled { retry_after },
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY if code.is_some_and(is_of_recipient) => {
            Outcome::Rejected
        }
        // The provider, our account or our settings are at fault and not the number: the message waits for
        // somebody to put it right.
        _ => Outcome::ProviderError { retry_after },
    }
}

/// Twilio's error "too many messages of this sender wait".
const QUEUE_FULL: u32 = 21611;

/// Twilio's errors about messages are 211xx to 216xx.
fn is_of_recipient(code: u32) -> bool {
    /// "'From' is no valid number", "no permission for this region", "'From' is missing", "'From' is not a number that
    /// you can send from", "a trial account cannot send to it".
    const OURS: [u32; 5] = [21212, 21408, 21603, 21606, 21608];
    (21100..21700).contains(&code) && !OURS.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Outcome = Outcome::ProviderError { retry_after: None };

    fn class_of(status: u16, document: &str) -> Outcome {
        let document = serde_json::from_str(document).unwrap_or_default();
        outcome(StatusCode::from_u16(status).unwrap(), Some(document), None)
    }

    #[test]
    fn a_number_that_is_refused_is_refused_for_good() {
        for status in [400, 422] {
            assert_eq!(class_of(status, r#"{"code": 21211, "message": "Invalid 'To'"}"#), Outcome::Rejected);
        }
    }

    #[test]
    fn a_number_of_ours_that_is_refused_costs_no_message() {
        for code in [20003, 21212, 21408, 21606, 30001] {
            assert_eq!(class_of(400, &format!(r#"{{"code": {code}}}"#)), LATER, "{code}");
        }
    }

    #[test]
    fn an_account_or_an_address_that_is_refused_costs_no_message() {
        for status in [401, 402, 403, 404, 405] {
            assert_eq!(class_of(status, r#"{"code": 20003}"#), LATER, "{status}");
        }
    }

    #[test]
    fn what_somebody_in_between_answers_says_nothing_of_the_message() {
        for body in ["<html>Please log in</html>", "{}", "[]", ""] {
            assert_eq!(class_of(400, body), LATER, "{body}");
            assert_eq!(class_of(200, body), Outcome::Uncertain, "{body}");
        }
        assert_eq!(class_of(504, ""), Outcome::Uncertain);
    }

    #[test]
    fn a_message_that_was_created_is_delivered_even_if_the_rest_of_the_answer_is_lost() {
        assert_eq!(class_of(201, r#"{"sid": "SM1", "code": null}"#), Outcome::Delivered);
        assert_eq!(outcome(StatusCode::CREATED, None, None), Outcome::Delivered);
    }

    #[test]
    fn whatever_else_the_provider_says_is_worth_another_try() {
        let retry_after = Some(Duration::from_mins(2));
        for (status, code, expected) in [
            (408, None, Outcome::Timeout),
            (429, None, Outcome::Throttled { retry_after }),
            (400, Some(QUEUE_FULL), Outcome::Throttled { retry_after }),
            (302, None, Outcome::ProviderError { retry_after }),
            (409, None, Outcome::ProviderError { retry_after }),
            (500, None, Outcome::ProviderError { retry_after }),
            (503, None, Outcome::ProviderError { retry_after }),
        ] {
            let document = Some(Document { sid: None, code });
            assert_eq!(outcome(StatusCode::from_u16(status).unwrap(), document, retry_after), expected, "{status}");
        }
    }
}
