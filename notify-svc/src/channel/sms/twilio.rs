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
            // A message that is written to a connection which has fallen silent may have been taken or not, and waits
            // long for its next attempt: each has a connection of its own.
            .pool_max_idle_per_host(0)
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
        // Twilio's yes, even if the rest of it is lost.
        StatusCode::CREATED if is_lost => Outcome::Delivered,
        _ if status.is_success() && sid.is_some() => Outcome::Delivered,
        // Somebody has said yes who does not know the message, or whoever asked the provider has no answer.
        _ if status.is_success() || status == StatusCode::GATEWAY_TIMEOUT => Outcome::Uncertain,
        StatusCode::REQUEST_TIMEOUT => Outcome::Timeout,
        StatusCode::TOO_MANY_REQUESTS => Outcome::Throttled { retry_after },
        _ if code == Some(QUEUE_FULL) => Outcome::Throttled { retry_after },
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => match code {
            Some(code) if OF_RECIPIENT.contains(&code) => Outcome::Rejected,
            // It may be this number's fault or our number's: the message waits, and others are tried.
            Some(code) if OF_MESSAGES.contains(&code) => Outcome::Deferred,
            _ => Outcome::ProviderError { retry_after },
        },
        // The provider, our account or our settings are at fault and not the number: the message waits for
        // somebody to put it right.
        _ => Outcome::ProviderError { retry_after },
    }
}

/// Twilio's error "too many messages of this sender wait".
const QUEUE_FULL: u32 = 21611;

/// Twilio's errors that say of the nurse's number alone that it never takes an SMS: it is none, it is not reachable,
/// it does not appear to be one, its owner has opted out, it is no mobile's, it is a landline's. Twilio splits its
/// errors now and then (changelog of 10 July 2024), and most of the new ones are about the sender's number.
const OF_RECIPIENT: [u32; 6] = [21211, 21214, 21217, 21610, 21614, 21635];

/// Twilio's errors about messages.
const OF_MESSAGES: std::ops::Range<u32> = 21100..21700;

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
        for code in [21212, 21408, 21601, 21603, 21606, 21608, 21612, 21659, 21660] {
            assert_eq!(class_of(400, &format!(r#"{{"code": {code}}}"#)), Outcome::Deferred, "{code}");
        }
        for code in [20003, 30001] {
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
        assert_eq!(outcome(StatusCode::OK, None, None), Outcome::Uncertain, "anybody says that");
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
