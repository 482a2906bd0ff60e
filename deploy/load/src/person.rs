//! A person with a login, and their requests.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::gateway::{Answer, Gateway, Result};

/// A person who can log in.
#[derive(Debug)]
pub(crate) struct Person {
    login: &'static str,
    pin: &'static str,
    session: Option<Session>,
    rests_until: Option<Instant>,
}

#[derive(Debug)]
struct Session {
    access_token: String,
    refresh_token: String,
    /// When to refresh: shortly before the access token expires.
    refresh_at: Instant,
}

impl Session {
    fn of(answer: &Answer) -> Option<Self> {
        let text = |name: &str| answer.body[name].as_str().map(str::to_owned);
        let lifetime = Duration::from_secs(answer.body["expires_in"].as_u64()?);
        Some(Self {
            access_token: text("access_token")?,
            refresh_token: text("refresh_token")?,
            refresh_at: Instant::now() + lifetime * 4 / 5,
        })
    }
}

impl Person {
    pub(crate) fn new(login: &'static str, pin: &'static str) -> Self {
        Self { login, pin, session: None, rests_until: None }
    }

    /// Whether the person has waited as long as the last `Retry-After` said.
    pub(crate) fn is_up(&self, now: Instant) -> bool {
        self.rests_until.is_none_or(|until| until <= now)
    }

    /// Applies an answer: a 401 ends the session, and `Retry-After` sets a pause.
    fn mind(&mut self, answer: &Answer) {
        if answer.status == StatusCode::UNAUTHORIZED {
            self.session = None;
        }
        self.rests_until = answer.retry_after.map(|wait| Instant::now() + wait);
    }
}

/// A person during one action.
#[derive(Debug)]
pub(crate) struct Visit<'v> {
    pub(crate) gateway: &'v Gateway,
    pub(crate) person: &'v mut Person,
    /// The action's name.
    pub(crate) action: &'static str,
}

impl Visit<'_> {
    /// Sends a GET as this person.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer> {
        self.send(self.gateway.request(Method::GET, path)).await
    }

    /// Posts JSON as this person, with an idempotency key.
    pub(crate) async fn post(&mut self, path: &str, key: Uuid, body: &Value) -> Result<Answer> {
        self.send(self.keyed(path, key, body)).await
    }

    /// Posts JSON as this person and disconnects after `patience`.
    pub(crate) async fn post_and_leave(&mut self, path: &str, body: &Value, patience: Duration) -> Result<()> {
        match self.send(self.keyed(path, Uuid::new_v4(), body).timeout(patience)).await {
            Err(error) if !error.is_timeout() => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends a GET without a token.
    pub(crate) async fn get_without_token(&self, path: &str) -> Result<Answer> {
        self.gateway.send(self.action, self.gateway.request(Method::GET, path)).await
    }

    /// Logs in with a wrong PIN, then with the right one. Consecutive wrong PINs would lock the login, so it first
    /// makes sure that the right PIN works, and stops if not.
    pub(crate) async fn mistype_pin(&mut self) -> Result<()> {
        const WRONG: &str = "135790";
        if self.enter().await?.is_none() {
            self.log_in(WRONG).await?;
            self.enter().await?;
        }
        Ok(())
    }

    /// Sends the request with a valid token. Returns the answer, or that of a login that was refused.
    async fn send(&mut self, request: RequestBuilder) -> Result<Answer> {
        if let Some(refusal) = self.enter().await? {
            return Ok(refusal);
        }
        let token = self.person.session.as_ref().map(|session| session.access_token.as_str()).unwrap_or_default();
        let answer = self.gateway.send(self.action, request.bearer_auth(token)).await?;
        self.person.mind(&answer);
        Ok(answer)
    }

    /// Makes sure that the person has a token that is valid for a while. Returns the answer if they get none.
    async fn enter(&mut self) -> Result<Option<Answer>> {
        if let Some(session) = &self.person.session {
            if Instant::now() < session.refresh_at {
                return Ok(None);
            }
            let body = json!({"refresh_token": session.refresh_token});
            let refusal = self.exchange("/v1/sessions/refresh", &body).await?;
            // If the session has ended, a login opens a new one.
            if self.person.session.is_some() {
                return Ok(refusal);
            }
        }
        self.log_in(self.person.pin).await
    }

    async fn log_in(&mut self, pin: &str) -> Result<Option<Answer>> {
        self.exchange("/v1/sessions", &json!({"login": self.person.login, "pin": pin})).await
    }

    /// Exchanges credentials for tokens. Returns the answer if it has no tokens.
    async fn exchange(&mut self, path: &str, body: &Value) -> Result<Option<Answer>> {
        let answer = self.gateway.send(self.action, self.gateway.request(Method::POST, path).json(body)).await?;
        self.person.mind(&answer);
        let Some(session) = Session::of(&answer) else { return Ok(Some(answer)) };
        self.person.session = Some(session);
        Ok(None)
    }

    fn keyed(&self, path: &str, key: Uuid, body: &Value) -> RequestBuilder {
        self.gateway.request(Method::POST, path).header("Idempotency-Key", key.to_string()).json(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Person {
        let answer = answer(StatusCode::OK, None);
        Person { session: Session::of(&answer), ..Person::new("somebody", "000000") }
    }

    fn answer(status: StatusCode, retry_after: Option<Duration>) -> Answer {
        let body = json!({"access_token": "a", "refresh_token": "r", "expires_in": 900});
        Answer { status, retry_after, body }
    }

    #[test]
    fn who_is_told_to_wait_rests_for_as_long_and_stays_logged_in() {
        const WAIT: Duration = Duration::from_mins(10);
        let mut person = person();
        let before = Instant::now();
        assert!(person.is_up(before));
        person.mind(&answer(StatusCode::TOO_MANY_REQUESTS, Some(WAIT)));
        assert!(!person.is_up(before + WAIT / 2));
        assert!(person.is_up(Instant::now() + WAIT));
        assert!(person.session.is_some());
    }

    #[test]
    fn whose_token_is_not_taken_logs_in_again() {
        let mut person = person();
        person.mind(&answer(StatusCode::UNPROCESSABLE_ENTITY, None));
        assert!(person.session.is_some());
        person.mind(&answer(StatusCode::UNAUTHORIZED, None));
        assert!(person.session.is_none() && person.is_up(Instant::now()));
    }
}
