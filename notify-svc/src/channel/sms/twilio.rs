use std::time::{Duration, SystemTime};

use anyhow::Context;
use reqwest::{Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use telemetry::http::{Client, Error};
use telemetry::retry_after;

use super::{Config, Outcome};

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
            // Every message has its own connection. If a message were written to an idle connection that is dead, it
            // would not be known whether the provider has got it, and the message would wait long for its next attempt.
            .pool_max_idle_per_host(0)
            .build()
            .context("make the SMS client")?;
        let (account, token, from) = (config.account.clone(), config.token.clone(), config.from.clone());
        Ok(Self { client: client.into(), endpoint, account, token, from })
    }

    /// Sends one message to the number `to` (E.164). `key` is the same for every attempt.
    pub(super) async fn submit(&self, to: &str, text: &str, key: &str) -> Outcome {
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

/// The part of the provider's answer that is read, besides the status. Its texts are not, because they may quote the
/// number.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct Document {
    /// Id of a message that was accepted.
    sid: Option<String>,
    /// Twilio's error code.
    code: Option<u32>,
}

/// The body of an answer. It is empty if the body is not one of the provider's: a proxy may have answered. `None` when
/// the body did not arrive.
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

/// The outcome of a request without an answer. After the connection is made, the provider may have got the message.
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
        // Twilio has accepted the message, even if the body of the answer is lost.
        StatusCode::CREATED if is_lost => Outcome::Delivered,
        _ if status.is_success() && sid.is_some() => Outcome::Delivered,
        // A success without a message id may come from a proxy. A 504 comes from a proxy that got no answer from the
        // provider.
        _ if status.is_success() || status == StatusCode::GATEWAY_TIMEOUT => Outcome::Uncertain,
        StatusCode::REQUEST_TIMEOUT => Outcome::Timeout,
        StatusCode::TOO_MANY_REQUESTS => Outcome::Throttled { retry_after },
        _ if code == Some(QUEUE_FULL) => Outcome::Throttled { retry_after },
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => match code {
            Some(code) if OF_RECIPIENT.contains(&code) => Outcome::Rejected,
            // The nurse's number or ours may be at fault: the message waits, and others are still sent.
            Some(code) if OF_MESSAGES.contains(&code) => Outcome::Deferred,
            _ => Outcome::ProviderError { retry_after },
        },
        // The provider, our account or our settings are at fault, not the number: the message waits until somebody has
        // fixed it.
        _ => Outcome::ProviderError { retry_after },
    }
}

/// Twilio's error "too many messages of this sender are queued".
const QUEUE_FULL: u32 = 21611;

/// Twilio's errors which mean that the nurse's number can never receive an SMS: it is invalid, not reachable, not a
/// phone number, its owner has opted out, it is not a mobile number, it is a landline. Twilio splits its errors now and
/// then (changelog of 10 July 2024), and most of the new ones are about the sender's number.
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
