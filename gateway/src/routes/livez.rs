use http::StatusCode;

/// Say whether the process is alive
#[utoipa::path(
    get,
    path = "/livez",
    tag = "public",
    responses((status = 204, description = "The process can answer.")),
)]
pub(crate) async fn livez() -> StatusCode {
    StatusCode::NO_CONTENT
}
