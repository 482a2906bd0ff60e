//! Scripts, styles and the icon, which are embedded in the program.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use crate::problem::Problem;

const SCRIPT: &str = "text/javascript; charset=utf-8";

const ASSETS: [(&str, &str, &str); 5] = [
    ("style.css", "text/css; charset=utf-8", include_str!("../../assets/style.css")),
    ("page.js", SCRIPT, include_str!("../../assets/page.js")),
    ("outbox.js", SCRIPT, include_str!("../../assets/outbox.js")),
    ("questionnaire.js", SCRIPT, include_str!("../../assets/questionnaire.js")),
    ("icon.svg", "image/svg+xml", include_str!("../../assets/icon.svg")),
];

/// A hash of the files, which changes when one of them changes.
pub(super) fn fingerprint() -> String {
    let mut hasher = DefaultHasher::new();
    ASSETS.hash(&mut hasher);
    format!("{:x}", hasher.finish())
}

pub(super) async fn get(name: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let Path(name) = name.map_err(|_| Problem::NOT_FOUND)?;
    let asset = ASSETS.iter().find(|asset| asset.0 == name).ok_or(Problem::NOT_FOUND)?;
    Ok(([(CONTENT_TYPE, asset.1)], asset.2).into_response())
}
