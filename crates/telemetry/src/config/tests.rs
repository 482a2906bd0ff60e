mod exporter;

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::settings::{Exporter, Otlp, Protocol, Settings, Temporality};
use super::*;
use crate::propagation::Continuation;

fn with(config: &Config, variables: &[(&str, &str)]) -> Settings {
    let read = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Settings::new(config, "1.2.3", read)
}

fn set(variables: &[(&str, &str)]) -> Settings {
    with(&Config::new("shop"), variables)
}

/// The settings, which must have exactly one warning.
fn ignored(variables: &[(&str, &str)]) -> Settings {
    let settings = set(variables);
    assert_eq!(settings.warnings.len(), 1, "{:?}", settings.warnings);
    settings
}

fn otlp(settings: &Settings) -> &Otlp {
    match &settings.spans {
        Some(Exporter::Otlp(otlp)) => otlp,
        other => panic!("no OTLP but {other:?}"),
    }
}

fn metrics(settings: &Settings) -> &Otlp {
    &settings.metrics.as_ref().unwrap().otlp
}

fn resource<'s>(settings: &'s Settings, key: &str) -> Vec<std::borrow::Cow<'s, str>> {
    settings.resource.iter().filter(|pair| pair.key.as_str() == key).map(|pair| pair.value.as_str()).collect()
}

#[test]
fn the_table_names_every_variable_that_is_read_and_no_other() {
    let asked = RefCell::new(BTreeSet::new());
    for on in [&[("OTEL_METRICS_EXPORTER", "otlp"), ("OTEL_TRACES_SAMPLER", "traceidratio")][..], &[]] {
        Settings::new(&Config::new("shop"), "1", |name| {
            asked.borrow_mut().insert(name.to_owned());
            on.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
    }
    let table = include_str!("table.md");
    let named: BTreeSet<_> = table.split('`').filter(|text| text.starts_with("OTEL_")).map(str::to_owned).collect();
    assert_eq!(asked.into_inner(), named);
}

#[test]
fn without_variables_the_configuration_holds() {
    let settings = set(&[]);
    assert_eq!(settings.warnings, Vec::<String>::new());
    let otlp = otlp(&settings);
    assert_eq!((otlp.protocol, otlp.endpoint.to_string()), (Protocol::Grpc, "http://localhost:4317/".to_owned()));
    assert_eq!((otlp.gzip, otlp.timeout), (false, Some(Duration::from_secs(10))));
    assert_eq!((settings.sampler, settings.follows_parents), (Sampler::AlwaysOn, true));
    assert!(settings.metrics.is_none() && !settings.disabled);
}

#[test]
fn a_ratio_may_be_written_as_a_number_or_as_text() {
    assert_eq!("0.05".parse::<Sampler>().ok(), Some(Sampler::Ratio(0.05)));
    assert_eq!(serde_json::from_str::<Sampler>("0.05").ok(), Some(Sampler::Ratio(0.05)));
    assert_eq!(serde_json::from_str::<Sampler>("1").ok(), Some(Sampler::Ratio(1.0)));
    assert_eq!(serde_json::from_str::<Sampler>("\"always_off\"").ok(), Some(Sampler::AlwaysOff));
    for text in ["1.5", "-0.1", "NaN", "inf", "sometimes", ""] {
        assert!(text.parse::<Sampler>().is_err(), "{text}");
    }
}

#[test]
fn an_unknown_key_of_the_block_is_refused() {
    for text in [r#"{"samplr": 1}"#, r#"{"queue": {"sise": 1}}"#, r#"{"trust": {"egres": {}}}"#, r#"{"tls": {"x": 1}}"#]
    {
        assert!(serde_json::from_str::<Config>(text).is_err(), "{text}");
    }
}

#[test]
fn the_resource_has_each_key_once_and_the_variables_above_the_configuration() {
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x, deployment.environment.name=a%20b,k=v");
    let settings = set(&[attributes]);
    assert_eq!(resource(&settings, "service.name"), ["x"]);
    assert_eq!(resource(&settings, "deployment.environment.name"), ["a b"]);
    assert_eq!(
        (resource(&settings, "k"), resource(&settings, "service.version")),
        (vec!["v".into()], vec!["1.2.3".into()])
    );
    assert!(!resource(&settings, "host.name")[0].is_empty());
    assert_eq!(resource(&set(&[attributes, ("OTEL_SERVICE_NAME", "y")]), "service.name"), ["y"]);
    assert_eq!(resource(&set(&[("OTEL_SERVICE_NAME", " ")]), "service.name"), ["shop"]);
    ignored(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name")]);
}

#[test]
fn a_sampler_follows_parents_only_if_its_name_says_so() {
    for (name, argument, sampler, follows) in [
        ("always_off", "", Sampler::AlwaysOff, false),
        ("parentbased_always_on", "", Sampler::AlwaysOn, true),
        ("traceidratio", "0.25", Sampler::Ratio(0.25), false),
        ("PARENTBASED_TRACEIDRATIO", "", Sampler::Ratio(1.0), true),
    ] {
        let settings = set(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)]);
        assert_eq!((settings.sampler, settings.follows_parents), (sampler, follows), "{name}");
    }
    let settings = ignored(&[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")]);
    assert_eq!(settings.sampler, Sampler::Ratio(1.0));
    assert_eq!(ignored(&[("OTEL_TRACES_SAMPLER", "xray")]).sampler, Sampler::AlwaysOn);
}

#[test]
fn a_server_of_strategies_is_named_by_parts_of_the_argument_each_of_which_may_be_missing() {
    let remote = |sampler| match sampler {
        Sampler::JaegerRemote(remote) => remote,
        other => panic!("no server but {other:?}"),
    };
    let name = ("OTEL_TRACES_SAMPLER", "parentbased_jaeger_remote");
    let settings = set(&[name]);
    assert_eq!((remote(settings.sampler), settings.follows_parents), (JaegerRemote::default(), true));
    let argument = "endpoint=http://j:5778/sampling,pollingIntervalMs=5000, initialSamplingRate=0.25";
    let read = remote(set(&[name, ("OTEL_TRACES_SAMPLER_ARG", argument)]).sampler);
    assert_eq!(
        (&*read.endpoint, read.interval, read.initial_ratio),
        ("http://j:5778/sampling", Duration::from_secs(5), 0.25)
    );
    for argument in ["pollingIntervalMs=0", "pollingIntervalMs=soon", "initialSamplingRate=2", "enpoint=x", "x"] {
        assert_eq!(remote(ignored(&[name, ("OTEL_TRACES_SAMPLER_ARG", argument)]).sampler), JaegerRemote::default());
    }
    let yaml = |text: &str| serde_json::from_str::<Sampler>(text);
    assert_eq!(remote(yaml("\"jaeger_remote\"").unwrap()), JaegerRemote::default());
    let read = remote(yaml(r#"{"jaeger_remote": {"endpoint": "http://j:1", "interval": "5s"}}"#).unwrap());
    assert_eq!((&*read.endpoint, read.interval), ("http://j:1", Duration::from_secs(5)));
    for text in [r#"{"initial_ratio": 2}"#, r#"{"interval": "0s"}"#, r#"{"endpont": "x"}"#] {
        assert!(yaml(&format!(r#"{{"jaeger_remote": {text}}}"#)).is_err(), "{text}");
    }
}

#[test]
fn the_share_beside_errors_is_the_argument_or_in_the_configuration() {
    let name = ("OTEL_TRACES_SAMPLER", "errors");
    let errors = |ratio| Sampler::Errors(Errors { ratio, ..Errors::default() });
    let settings = set(&[name, ("OTEL_TRACES_SAMPLER_ARG", "0.01")]);
    assert_eq!((settings.sampler, settings.follows_parents), (errors(0.01), true));
    assert_eq!(set(&[name]).sampler, errors(0.05));
    assert_eq!(ignored(&[name, ("OTEL_TRACES_SAMPLER_ARG", "2")]).sampler, errors(0.05));
    let read = |text: &str| serde_json::from_str::<Sampler>(text);
    assert_eq!(read("\"errors\"").ok(), Some(errors(0.05)));
    assert_eq!(read(r#"{"errors": {"ratio": 0.2}}"#).ok(), Some(errors(0.2)));
    assert!(read(r#"{"errors": {"ratio": 2}}"#).is_err() && read(r#"{"errors": {"rate": 1}}"#).is_err());
}

#[test]
fn a_wrong_boolean_is_false_and_a_disabled_sdk_keeps_its_propagators() {
    assert!(!ignored(&[("OTEL_SDK_DISABLED", "yes")]).disabled);
    let settings = set(&[("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_PROPAGATORS", "b3,b3")]);
    assert_eq!((settings.disabled, settings.propagators), (true, vec![Propagator::B3]));
}

#[test]
fn propagators_are_a_list_and_unknown_ones_are_left_out() {
    assert_eq!(set(&[("OTEL_PROPAGATORS", "none")]).propagators, []);
    let settings = ignored(&[("OTEL_PROPAGATORS", "jaeger, ottrace,TraceContext")]);
    assert_eq!(settings.propagators, [Propagator::Jaeger, Propagator::TraceContext]);
}

#[test]
fn metrics_count_from_the_start_in_buckets_of_the_conventions_unless_it_is_said_otherwise() {
    let on = ("OTEL_METRICS_EXPORTER", "otlp");
    let metrics = |settings: Settings| settings.metrics.map(|metrics| (metrics.temporality, metrics.exponential));
    assert_eq!(metrics(set(&[on])), Some((Temporality::Cumulative, false)));
    let temporality = ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "LowMemory");
    let histograms = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    let settings = set(&[on, temporality, (histograms, "base2_exponential_bucket_histogram")]);
    assert_eq!(metrics(settings), Some((Temporality::LowMemory, true)));
    assert_eq!(metrics(ignored(&[on, (histograms, "sum")])), Some((Temporality::Cumulative, false)));
}

#[test]
fn limits_of_spans_are_their_own_or_those_of_all() {
    let settings = set(&[
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "5"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "6"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "8"),
    ]);
    assert_eq!((settings.limits.max_attributes_per_span, settings.limits.max_events_per_span), (5, 6));
    assert_eq!(settings.value_length, Some(8));
}

#[test]
fn a_batch_is_no_larger_than_the_queue_and_neither_is_empty() {
    let queue = set(&[("OTEL_BSP_MAX_QUEUE_SIZE", "10"), ("OTEL_BSP_SCHEDULE_DELAY", "5")]).queue;
    assert_eq!((queue.size, queue.batch, queue.delay), (10, 10, Duration::from_millis(5)));
    assert_eq!(set(&[("OTEL_BSP_MAX_QUEUE_SIZE", "0")]).queue, Queue::default());
}

#[test]
fn what_has_no_meaning_here_is_said() {
    for name in ["OTEL_CONFIG_FILE", "OTEL_ENTITIES", "OTEL_LOGS_EXPORTER", "OTEL_METRICS_EXEMPLAR_FILTER"] {
        let settings = ignored(&[(name, "x")]);
        assert!(settings.warnings[0].starts_with(name), "{:?}", settings.warnings);
    }
    assert_eq!(set(&[("OTEL_LOGS_EXPORTER", "none")]).warnings, Vec::<String>::new());
}

proptest! {
    #[test]
    fn no_value_of_a_variable_stops_a_service(
        values in prop::collection::vec("\\PC{0,20}|[0-9]{1,25}|true|otlp|https?://[a-z:/@\\[\\]0-9]{0,12}", 1..40)
    ) {
        let next = RefCell::new(values.iter().cycle());
        let settings = Settings::new(&Config::new("shop"), "1", |_| next.borrow_mut().next().cloned());
        prop_assert!(settings.queue.batch > 0 && settings.queue.batch <= settings.queue.size);
    }
}

#[test]
fn what_is_said_of_the_mesh_leaves_the_rest_of_it_as_it_is() {
    let config: Config = serde_json::from_str(r#"{"trust": {"mesh": {"baggage": ["tenant"]}}}"#).unwrap();
    let mut expected = Trust::default();
    expected.mesh.baggage.push("tenant".to_owned());
    assert_eq!(config.trust, expected);
    let config: Config = serde_json::from_str(r#"{"trust": {"mesh": {"trace": "ignore"}}}"#).unwrap();
    expected = Trust::default();
    expected.mesh.trace = Continuation::Ignore;
    assert_eq!(config.trust, expected);
}
