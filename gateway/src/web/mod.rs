//! HTML pages for people, and their files. The pages use the same routes and clients as the API.

mod assets;
mod config;
mod language;
mod refusal;
pub(crate) mod session;
mod spans;
mod templates;
mod views;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

pub(crate) use config::{Config, Web};
use language::Language;
pub(crate) use visit::Visit;

/// The pages. To add one, write `views/<name>.rs` and `templates/<name>.html` and add its line here.
pub(crate) fn pages<S>(web: Arc<Web>) -> Router<S> {
    Router::new()
        .route("/", get(views::home::show))
        .route("/sign-in", get(views::sign_in::show).post(views::sign_in::sign_in))
        .route("/sign-out", post(views::sign_in::sign_out))
        .route("/activate", get(views::activate::show).post(views::activate::activate))
        .route("/language", post(language::choose))
        .route("/assignments/{id}", get(views::assignment::show))
        .route("/reports/{id}", get(views::report::show))
        .route("/reports/{id}/reviews", post(views::report::review))
        .route("/messages", get(views::messages::show))
        .route("/messages/{id}/resend", post(views::messages::resend))
        .route("/traces", get(views::trace::find))
        .route("/traces/{id}", get(views::trace::show))
        .route("/traces/{id}/waterfall.svg", get(views::trace::waterfall))
        .route("/assets/{name}", get(assets::get))
        .route("/web/spans", post(spans::tell))
        .with_state(web)
}
