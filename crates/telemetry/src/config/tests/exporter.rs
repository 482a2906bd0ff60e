//! Exporters: protocol, endpoint, headers, TLS and time limits.

use super::{ignored, metrics, otlp, set, with};
use crate::config::settings::{Exporter, Protocol};
use crate::config::*;

#[test]
fn the_exporter_and_its_protocol_are_chosen_apart() {
    let http = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    let none = Config { batcher: Batcher::None, ..Config::new("shop") };
    assert!(with(&none, &[http]).spans.is_none());
    let settings = with(&none, &[http, ("OTEL_TRACES_EXPORTER", "OTLP")]);
    assert_eq!(otlp(&settings).protocol, Protocol::HttpProtobuf);
    assert!(matches!(set(&[("OTEL_TRACES_EXPORTER", "console")]).spans, Some(Exporter::Stdout)));
    assert!(set(&[("OTEL_TRACES_EXPORTER", "none")]).spans.is_none());
    otlp(&ignored(&[("OTEL_TRACES_EXPORTER", "zipkin")]));
    assert_eq!(otlp(&ignored(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")])).protocol, Protocol::Grpc);
}

#[test]
fn an_invalid_variable_of_a_signal_leaves_that_of_all_signals() {
    let settings = ignored(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "7"), ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "a second")]);
    assert_eq!(otlp(&settings).timeout, Some(Duration::from_millis(7)));
    assert_eq!(otlp(&set(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "0")])).timeout, None);
}

#[test]
fn the_endpoint_of_all_signals_gets_a_path_over_http_and_that_of_one_does_not() {
    let http = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    let on = ("OTEL_METRICS_EXPORTER", "otlp");
    let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/");
    let settings = set(&[http, on, general]);
    assert_eq!(otlp(&settings).endpoint, "http://c:4318/v1/traces");
    assert_eq!(metrics(&settings).endpoint, "http://c:4318/v1/metrics");
    let settings = set(&[http, on, general, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://t:9/spans")]);
    assert_eq!(otlp(&settings).endpoint, "https://t:9/spans");
    assert_eq!(metrics(&settings).endpoint, "http://c:4318/v1/metrics");
    assert_eq!(otlp(&set(&[http])).endpoint, "http://localhost:4318/v1/traces");
}

#[test]
fn an_endpoint_without_a_scheme_is_secure_unless_it_is_said_not_to_be() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317");
    assert_eq!(otlp(&set(&[endpoint])).endpoint, "https://c:4317");
    assert_eq!(otlp(&set(&[endpoint, ("OTEL_EXPORTER_OTLP_INSECURE", "true")])).endpoint, "http://c:4317");
    for text in ["ftp://c", "http://", "://", "http://a b"] {
        assert_eq!(otlp(&ignored(&[("OTEL_EXPORTER_OTLP_ENDPOINT", text)])).endpoint, "http://localhost:4317");
    }
}

#[test]
fn headers_of_the_variables_come_to_those_of_the_configuration_and_are_never_shown() {
    let config: Config = serde_json::from_str(r#"{"headers": {"x-key": "secret-1", "x-other": "2"}}"#).unwrap();
    let settings = with(&config, &[("OTEL_EXPORTER_OTLP_HEADERS", "x-key=secret%203,bad header=1")]);
    let headers = &otlp(&settings).headers;
    let shown: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(shown, [("x-other", "2"), ("x-key", "secret 3")]);
    let shown = format!("{config:?} {settings:?}");
    assert!(!shown.contains("secret-1") && !shown.contains("secret 3"), "{shown}");
}

#[test]
fn tls_files_and_compression_are_set_by_signal() {
    let settings = set(&[
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key"),
        ("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "/other"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "GZIP"),
    ]);
    assert_eq!((otlp(&settings).gzip, metrics(&settings).gzip), (true, false));
    assert_eq!(otlp(&settings).tls, Tls { ca: Some("/ca".into()), key: Some("/key".into()), certificate: None });
    assert_eq!(metrics(&settings).tls.ca, Some("/other".into()));
}
