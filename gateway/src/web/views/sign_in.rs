use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Query, State};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use http::StatusCode;
use http::header::SET_COOKIE;
use minijinja::value::Serde;
use minijinja::{Value, context};
use proto::user::CreateSessionRequest;
use serde::Deserialize;
use service_kit::error::Reason;

use crate::caller::{AccessToken, ClientAddress};
use crate::problem::Problem;
use crate::web::refusal::Refusal;
use crate::web::session::local_path;
use crate::web::{Visit, Web};

#[derive(Deserialize)]
pub(in crate::web) struct Next {
    /// The path to redirect to after signing in.
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct Credentials {
    login: String,
    pin: String,
    next: String,
}

pub(in crate::web) async fn show(
    State(web): State<Arc<Web>>,
    visit: Visit,
    next: Query<Next>,
) -> Result<Response, Refusal> {
    Ok(visit.page("sign_in.html", content(&web, &next.next, false))?.into_response())
}

pub(in crate::web) async fn sign_in(
    State(web): State<Arc<Web>>,
    ClientAddress(address): ClientAddress,
    visit: Visit,
    credentials: Result<Form<Credentials>, FormRejection>,
) -> Result<Response, Refusal> {
    let Form(Credentials { login, pin, next }) = credentials.map_err(|_| Problem::BAD_REQUEST)?;
    web.shared.rates.login(address, &login)?;
    match web.shared.user.create_session(CreateSessionRequest { login, pin }).await.map_err(Problem::from) {
        Ok(tokens) => {
            web.shared.rates.logged_in(address);
            let cookies = web.cookies.of_session(tokens.ok_or(Problem::INTERNAL)?);
            let cookies = cookies.map(|cookie| (SET_COOKIE, cookie));
            Ok((AppendHeaders(cookies), Redirect::to(local_path(&next))).into_response())
        }
        Err(problem) if problem == Problem::because(Reason::WrongCredentials) => {
            let page = visit.page("sign_in.html", content(&web, &next, true))?;
            Ok((StatusCode::UNAUTHORIZED, page).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
}

fn content(web: &Web, next: &str, has_failed: bool) -> Value {
    context! {
        next => local_path(next),
        has_failed,
        demo_logins => Value::from(Serde(&web.demo_logins)),
    }
}

/// Ends the session in user-svc and in the browser. The cookies are deleted even if the session has ended already.
pub(in crate::web) async fn sign_out(
    State(web): State<Arc<Web>>,
    token: Result<AccessToken, Problem>,
) -> Result<Response, Refusal> {
    if let Ok(AccessToken(token)) = token {
        match web.shared.user.end_session(token.clone()).await.map_err(Problem::from) {
            Err(problem) if problem != Problem::because(Reason::InvalidToken) => return Err(problem.into()),
            _ => web.shared.rates.refused(&token),
        }
    }
    let cookies = web.cookies.of_nobody().map(|cookie| (SET_COOKIE, cookie));
    Ok((AppendHeaders(cookies), Redirect::to("/sign-in")).into_response())
}
