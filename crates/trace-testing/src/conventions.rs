//! The keys that attributes may have.

use opentelemetry_semantic_conventions::attribute as semconv;
use opentelemetry_semantic_conventions::metric;
use traces::Span;

/// The newer name of `rpc.response.status_code`.
const RPC_STATUS_CODE: &str = "rpc.status_code";

const STANDARD: [&str; 33] = [
    semconv::DB_CLIENT_CONNECTION_STATE,
    semconv::DB_COLLECTION_NAME,
    semconv::DB_NAMESPACE,
    semconv::DB_OPERATION_NAME,
    semconv::DB_QUERY_SUMMARY,
    semconv::DB_QUERY_TEXT,
    semconv::DB_RESPONSE_STATUS_CODE,
    semconv::DB_SYSTEM_NAME,
    semconv::ERROR_TYPE,
    semconv::EXCEPTION_TYPE,
    semconv::HTTP_REQUEST_METHOD,
    semconv::HTTP_REQUEST_RESEND_COUNT,
    semconv::HTTP_RESPONSE_STATUS_CODE,
    semconv::HTTP_ROUTE,
    semconv::MESSAGING_DESTINATION_NAME,
    semconv::MESSAGING_MESSAGE_ID,
    semconv::MESSAGING_OPERATION_NAME,
    semconv::MESSAGING_OPERATION_TYPE,
    semconv::MESSAGING_SYSTEM,
    semconv::NETWORK_PROTOCOL_NAME,
    semconv::NETWORK_PROTOCOL_VERSION,
    semconv::RPC_METHOD,
    semconv::RPC_SYSTEM_NAME,
    semconv::SERVER_ADDRESS,
    semconv::SERVER_PORT,
    semconv::SERVICE_PEER_NAME,
    semconv::URL_PATH,
    semconv::URL_SCHEME,
    semconv::URL_TEMPLATE,
    metric::DB_CLIENT_CONNECTION_COUNT,
    metric::DB_CLIENT_CONNECTION_MAX,
    metric::DB_CLIENT_CONNECTION_PENDING_REQUESTS,
    RPC_STATUS_CODE,
];

/// The attribute keys of a span and of its events that are neither OpenTelemetry's nor the system's own, as `own`
/// decides. OpenTelemetry's keys here are those of clients, servers, databases and messaging.
pub fn unknown(span: &Span, own: impl Fn(&str) -> bool) -> Vec<&str> {
    let keys = span.attributes.keys().chain(span.events.iter().flat_map(|event| event.attributes.keys()));
    keys.map(String::as_str).filter(|key| !STANDARD.contains(key) && !own(key)).collect()
}
