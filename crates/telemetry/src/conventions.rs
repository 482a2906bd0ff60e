//! Names of attributes: the OpenTelemetry semantic conventions', and no others.

pub(crate) use opentelemetry_semantic_conventions::SCHEMA_URL;
pub(crate) use opentelemetry_semantic_conventions::attribute::*;
pub(crate) use opentelemetry_semantic_conventions::metric::{
    DB_CLIENT_CONNECTION_COUNT, DB_CLIENT_CONNECTION_MAX, DB_CLIENT_CONNECTION_PENDING_REQUESTS,
    DB_CLIENT_CONNECTION_TIMEOUTS, DB_CLIENT_CONNECTION_WAIT_TIME, DB_CLIENT_OPERATION_DURATION,
    HTTP_SERVER_REQUEST_DURATION, OTEL_SDK_EXPORTER_SPAN_EXPORTED, OTEL_SDK_EXPORTER_SPAN_INFLIGHT,
    OTEL_SDK_PROCESSOR_LOG_PROCESSED, OTEL_SDK_PROCESSOR_SPAN_PROCESSED, OTEL_SDK_PROCESSOR_SPAN_QUEUE_CAPACITY,
    OTEL_SDK_PROCESSOR_SPAN_QUEUE_SIZE, RPC_CLIENT_CALL_DURATION, RPC_SERVER_CALL_DURATION,
};

/// The newer name of `rpc.response.status_code`, which the conventions' release 1.45 makes stable.
pub(crate) const RPC_STATUS_CODE: &str = "rpc.status_code";

/// The conventions' placeholder for a value that is not one of the known ones.
pub(crate) const OTHER: &str = "_OTHER";
