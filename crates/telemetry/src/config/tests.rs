use super::{Batcher, Config, Metrics, Sampler};
use crate::init::InitError;

/// The configuration after these variables.
fn with(variables: &[(&str, &str)]) -> Result<Config, InitError> {
    let config: Config = serde_json::from_str(r#"{"name": "epro-svc"}"#).unwrap();
    config.overridden(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
}

#[test]
fn a_ratio_may_be_written_as_a_number_or_as_text() {
    assert_eq!("0.05".parse::<Sampler>().ok(), Some(Sampler::Ratio(0.05)));
    assert_eq!(serde_json::from_str::<Sampler>("0.05").ok(), Some(Sampler::Ratio(0.05)));
    assert_eq!(serde_json::from_str::<Sampler>("1").ok(), Some(Sampler::Ratio(1.0)));
    assert_eq!(serde_json::from_str::<Sampler>("\"always_off\"").ok(), Some(Sampler::AlwaysOff));
}

#[test]
fn a_ratio_out_of_range_and_an_unknown_name_are_refused() {
    for text in ["1.5", "-0.1", "NaN", "inf", "sometimes", ""] {
        assert!(text.parse::<Sampler>().is_err(), "{text}");
    }
}

#[test]
fn without_variables_the_configuration_stays_as_it_is() {
    let config = with(&[]).unwrap();
    assert_eq!((&*config.name, config.batcher, config.sampler), ("epro-svc", Batcher::OtlpGrpc, Sampler::AlwaysOn));
    assert_eq!(config.endpoint, "http://127.0.0.1:4317");
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let config = with(&[("OTEL_SERVICE_NAME", ""), ("OTEL_EXPORTER_OTLP_PROTOCOL", "")]).unwrap();
    assert_eq!((&*config.name, config.batcher), ("epro-svc", Batcher::OtlpGrpc));
}

#[test]
fn the_service_name_is_overridden() {
    assert_eq!(with(&[("OTEL_SERVICE_NAME", "other")]).unwrap().name, "other");
}

#[test]
fn the_endpoint_of_all_signals_gets_the_path_of_spans() {
    let config =
        with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]);
    let config = config.unwrap();
    assert_eq!(config.batcher, Batcher::OtlpHttp);
    assert_eq!(config.traces_address(), "http://c:4318/v1/traces");
}

#[test]
fn the_endpoint_of_spans_wins_and_is_taken_as_it_is() {
    let config = with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:9/spans"),
    ]);
    let config = config.unwrap();
    assert_eq!(config.traces_address(), "http://t:9/spans");
    assert_eq!(config.metrics_address(), "http://c:4318");
}

#[test]
fn the_protocol_of_spans_wins_and_an_unknown_one_is_refused() {
    let both = with(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")]);
    assert_eq!(both.unwrap().batcher, Batcher::OtlpGrpc);
    assert!(matches!(with(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]), Err(InitError::Protocol(_))));
}

#[test]
fn the_exporter_is_chosen_by_name() {
    for (name, batcher) in [("otlp", Batcher::OtlpGrpc), ("console", Batcher::Stdout), ("none", Batcher::None)] {
        assert_eq!(with(&[("OTEL_TRACES_EXPORTER", name)]).unwrap().batcher, batcher);
    }
    assert!(matches!(with(&[("OTEL_TRACES_EXPORTER", "zipkin")]), Err(InitError::TracesExporter(_))));
}

#[test]
fn counts_are_sent_when_asked_for_by_the_protocol_and_to_the_endpoint_of_all_signals() {
    assert_eq!(with(&[]).unwrap().metrics, Metrics::None);
    let config = with(&[
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/"),
    ]);
    let config = config.unwrap();
    assert_eq!((config.metrics, config.metrics_batcher), (Metrics::Otlp, Batcher::OtlpHttp));
    assert_eq!(config.metrics_address(), "http://c:4318/v1/metrics");
    assert!(matches!(with(&[("OTEL_METRICS_EXPORTER", "prometheus")]), Err(InitError::MetricsExporter(_))));
}

#[test]
fn what_is_set_for_one_signal_is_not_for_the_other() {
    let config = with(&[
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m:4317"),
    ]);
    let config = config.unwrap();
    assert_eq!((config.batcher, config.metrics_batcher), (Batcher::OtlpHttp, Batcher::OtlpGrpc));
    assert_eq!((&*config.metrics_address(), &*config.endpoint), ("http://m:4317", "http://127.0.0.1:4317"));
    let config = with(&[
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:9/spans"),
    ]);
    let config = config.unwrap();
    assert_eq!((config.batcher, config.metrics_batcher), (Batcher::OtlpHttp, Batcher::OtlpGrpc));
    assert_eq!((&*config.traces_address(), &*config.metrics_address()), ("http://t:9/spans", "http://127.0.0.1:4317"));
}

#[test]
fn a_disabled_sdk_sends_nothing() {
    let config = with(&[
        ("OTEL_SDK_DISABLED", "TRUE"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_METRICS_EXPORTER", "otlp"),
    ]);
    let config = config.unwrap();
    assert_eq!((config.batcher, config.metrics), (Batcher::None, Metrics::None));
}

#[test]
fn the_sampler_is_overridden_by_its_standard_names() {
    for (name, argument, sampler) in [
        ("always_off", "", Sampler::AlwaysOff),
        ("parentbased_always_on", "", Sampler::AlwaysOn),
        ("traceidratio", "0.25", Sampler::Ratio(0.25)),
        ("parentbased_traceidratio", "", Sampler::Ratio(1.0)),
    ] {
        let config = with(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)]);
        assert_eq!(config.unwrap().sampler, sampler, "{name}");
    }
    for (name, argument) in [("traceidratio", "2"), ("xray", "")] {
        let config = with(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)]);
        assert!(matches!(config, Err(InitError::Sampler(_))), "{name}");
    }
}
