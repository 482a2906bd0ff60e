use serde::Serialize;
use telemetry::TraceContext;
use utoipa::ToSchema;

/// The trace of the request.
#[derive(Serialize, ToSchema)]
pub(crate) struct TraceReference {
    #[schema(pattern = "^[0-9a-f]{32}$", example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    trace_id: String,
    /// Address at which people can look at the trace, if one is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uri-reference")]
    trace_url: Option<String>,
}

impl TraceReference {
    /// The current trace. Its id is appended to `trace_url`.
    pub(crate) fn current(trace_url: Option<&str>) -> Self {
        let trace_id = TraceContext::current().trace_id().to_string();
        let trace_url = trace_url.map(|url| format!("{url}{trace_id}"));
        Self { trace_id, trace_url }
    }

    /// The id and the address of the trace, as text for people.
    pub(crate) fn in_words(&self) -> String {
        let place = self.trace_url.as_deref().map(|url| format!(", {url}")).unwrap_or_default();
        format!("trace {}{place}", self.trace_id)
    }

    /// The URI reference that identifies this answer.
    pub(crate) fn uri_reference(&self) -> String {
        self.trace_url.clone().unwrap_or_else(|| format!("/traces/{}", self.trace_id))
    }
}
