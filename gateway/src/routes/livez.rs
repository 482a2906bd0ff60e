use http::StatusCode;

/// `GET /livez`: 204 while the process can answer at all.
pub(crate) async fn livez() -> StatusCode {
    StatusCode::NO_CONTENT
}
