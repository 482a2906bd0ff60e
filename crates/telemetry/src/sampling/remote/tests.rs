//! Against servers on real sockets.

mod server;

use std::time::Duration;

use opentelemetry::trace::TraceId;
use proptest::prelude::*;
use prost::Message;
use tokio::task::JoinHandle;

use super::wire::{Operation, PerOperation, Probabilistic, RateLimiting, Response};
use super::{Remote, Strategy};
use crate::config::{JaegerRemote, Tls};
use crate::tests::Recorder;
use crate::trace_state::Randomness;
use server::{Answer, Fake, framed, probabilistic};

const PATIENCE: Duration = Duration::from_secs(10);
/// This is also the time limit of a poll, so it must be enough on a busy machine.
const INTERVAL: Duration = Duration::from_millis(200);

/// Follows a server until it is dropped.
struct Following {
    remote: Remote,
    task: JoinHandle<()>,
}

impl Following {
    fn start(endpoint: String) -> Self {
        let config = JaegerRemote { endpoint, interval: INTERVAL, initial_ratio: 0.0 };
        let remote = Remote::new(&config);
        let task = tokio::spawn(remote.clone().follow(config, "shop".to_owned(), Tls::default()));
        Self { remote, task }
    }

    /// The `sampler.type` of a root with the lowest randomness, if it is kept.
    fn keeps(&self, name: &str) -> Option<String> {
        kind(&self.remote.strategy(), name, 0)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn kind(strategy: &Strategy, name: &str, low: u128) -> Option<String> {
    let verdict = strategy.decide(name, Randomness::of(TraceId::from(low)))?;
    assert_eq!(verdict.threshold.is_some(), verdict.attributes[0].value.as_str() == "probabilistic");
    Some(verdict.attributes[0].value.to_string())
}

fn strategy(json: &str) -> Result<Strategy, &'static str> {
    Strategy::new(&serde_json::from_str(json).unwrap(), &Strategy::initial(0.0))
}

#[tokio::test]
async fn a_strategy_that_changes_over_grpc_is_in_force_with_the_next_poll() {
    let fake = Fake::over_grpc(&probabilistic(0.0)).await;
    let following = Following::start(format!("http://{}", fake.address));
    fake.polled(2).await;
    assert_eq!(following.keeps("work"), None);
    fake.now_answers(framed(&probabilistic(1.0).encode_to_vec()));
    fake.polled(3).await;
    assert_eq!(following.keeps("work").as_deref(), Some("probabilistic"));
    assert_eq!(fake.asked.borrow()[0], "shop");
}

#[tokio::test]
async fn a_strategy_that_changes_over_http_is_in_force_with_the_next_poll() {
    let fake =
        Fake::over_http(r#"{"strategyType": "PROBABILISTIC", "probabilisticSampling": {"samplingRate": 1}}"#).await;
    let following = Following::start(format!("http://{}/api/sampling", fake.address));
    fake.polled(2).await;
    assert_eq!(following.keeps("work").as_deref(), Some("probabilistic"));
    fake.now_answers(&br#"{"strategyType": "RATE_LIMITING", "rateLimitingSampling": {"maxTracesPerSecond": 5}}"#[..]);
    fake.polled(3).await;
    assert_eq!(following.keeps("work").as_deref(), Some("ratelimiting"));
    assert_eq!(fake.asked.borrow()[0], "service=shop");
}

#[tokio::test]
async fn a_server_that_hangs_or_talks_nonsense_changes_nothing_and_is_said_once() {
    let recorder = Recorder::start();
    let fake = Fake::over_grpc(&probabilistic(1.0)).await;
    let following = Following::start(format!("http://{}", fake.address));
    fake.polled(2).await;
    for nonsense in
        [&b"\xff\xff"[..], b"", &probabilistic(2.0).encode_to_vec(), &probabilistic(f64::NAN).encode_to_vec()]
    {
        fake.now_answers(framed(nonsense));
        fake.polled(2).await;
    }
    fake.answer.send_replace(Answer::Hang);
    fake.polled(3).await;
    assert_eq!(following.keeps("work").as_deref(), Some("probabilistic"));
    let lines = recorder.lines();
    assert_eq!((lines.len(), &lines[0]["level"]), (1, &"WARN".into()), "{lines:?}");
    fake.now_answers(framed(&probabilistic(0.0).encode_to_vec()));
    fake.polled(3).await;
    assert_eq!(following.keeps("work"), None);
    assert_eq!(recorder.lines().len(), 2);
}

#[tokio::test]
async fn a_server_that_is_not_there_leaves_the_initial_ratio_and_is_said_once() {
    let recorder = Recorder::start();
    for endpoint in ["http://127.0.0.1:1", "http://127.0.0.1:1/sampling", "nonsense"] {
        let config = JaegerRemote { endpoint: endpoint.to_owned(), interval: INTERVAL, initial_ratio: 1.0 };
        let remote = Remote::new(&config);
        let followed = remote.clone().follow(config, "shop".to_owned(), Tls::default());
        assert!(tokio::time::timeout(5 * INTERVAL, followed).await.is_err());
        assert_eq!(kind(&remote.strategy(), "work", 0).as_deref(), Some("probabilistic"));
    }
    assert_eq!(recorder.lines().len(), 3, "{:?}", recorder.lines());
}

#[test]
fn a_rate_is_written_in_several_ways() {
    for name in [r#""RATE_LIMITING""#, r#""RATELIMITING""#, "1"] {
        let json = format!(
            r#"{{"strategyType": {name}, "probabilisticSampling": {{}}, "rateLimitingSampling": {{"maxTracesPerSecond": 2}}}}"#
        );
        assert!(matches!(strategy(&json), Ok(Strategy::RateLimiting { .. })), "{name}");
    }
    for name in [r#""PROBABILISTIC""#, "0", "null", "{}"] {
        let json = format!(r#"{{"strategyType": {name}, "probabilisticSampling": {{"samplingRate": 0.5}}}}"#);
        assert!(matches!(strategy(&json), Ok(Strategy::Probabilistic(_))), "{name}");
    }
}

#[test]
fn an_answer_without_a_strategy_or_with_numbers_that_are_none_is_nonsense() {
    for json in [
        "{}",
        r#"{"strategyType": "RATE_LIMITING"}"#,
        r#"{"probabilisticSampling": {"samplingRate": 1.5}}"#,
        r#"{"rateLimitingSampling": {"maxTracesPerSecond": -1}}"#,
        r#"{"operationSampling": {"defaultSamplingProbability": -1}}"#,
        r#"{"operationSampling": {"defaultLowerBoundTracesPerSecond": -1}}"#,
        r#"{"operationSampling": {"perOperationStrategies": [{"probabilisticSampling": {"samplingRate": 7}}]}}"#,
    ] {
        assert!(strategy(json).is_err(), "{json}");
    }
}

#[test]
fn a_rate_is_kept_within_a_second_and_none_is_kept_at_zero() {
    let limited = strategy(r#"{"rateLimitingSampling": {"maxTracesPerSecond": 3}}"#).unwrap();
    let kept = (0..100).filter(|_| kind(&limited, "work", 0).is_some()).count();
    assert_eq!(kept, 3);
    let none = strategy(r#"{"rateLimitingSampling": {}}"#).unwrap();
    assert_eq!(kind(&none, "work", u128::MAX), None);
}

#[test]
fn an_operation_has_its_own_ratio_and_each_one_its_lower_bound() {
    let wire = PerOperation {
        default_sampling_probability: 0.0,
        default_lower_bound_traces_per_second: 0.001,
        per_operation_strategies: vec![Operation {
            operation: "GET /often".to_owned(),
            probabilistic_sampling: Some(Probabilistic { sampling_rate: 0.5 }),
        }],
    };
    let response = Response { operation_sampling: Some(wire.clone()), ..probabilistic(1.0) };
    let first = Strategy::new(&response, &Strategy::initial(0.0)).unwrap();
    assert_eq!(kind(&first, "GET /often", u128::MAX).as_deref(), Some("probabilistic"));
    assert_eq!(kind(&first, "GET /often", 0), None, "what was kept counts towards the bound");
    assert_eq!(kind(&first, "GET /rare", 0).as_deref(), Some("lowerbound"));
    assert_eq!(kind(&first, "GET /rare", 0), None);
    assert_eq!(kind(&first, "GET /other", 0).as_deref(), Some("lowerbound"));
    // Jaeger's adaptive sampling answers with new ratios every few seconds, which must not reset the limits.
    let adapted = PerOperation { default_sampling_probability: 0.1, ..wire };
    let adapted = Response { operation_sampling: Some(adapted), ..Response::default() };
    let second = Strategy::new(&adapted, &first).unwrap();
    assert_eq!(kind(&second, "GET /rare", 0), None);
}

#[test]
fn operations_that_nobody_can_count_have_no_lower_bound() {
    let json = r#"{"operationSampling": {"defaultLowerBoundTracesPerSecond": 1}}"#;
    let strategy = strategy(json).unwrap();
    let kept = (0..3_000).filter(|number| kind(&strategy, &number.to_string(), 0).is_some()).count();
    assert_eq!(kept, 2_000);
}

proptest! {
    #[test]
    fn no_answer_is_worse_than_none(bytes in prop::collection::vec(any::<u8>(), 0..64), rates in prop::array::uniform3(any::<f64>()), limit: i32) {
        let before = Strategy::initial(0.5);
        if let Ok(response) = Response::decode(&*bytes) {
            let _ = Strategy::new(&response, &before);
        }
        let operation = Operation { operation: "a".to_owned(), probabilistic_sampling: Some(Probabilistic { sampling_rate: rates[0] }) };
        let per_operation = PerOperation {
            default_sampling_probability: rates[1],
            default_lower_bound_traces_per_second: rates[2],
            per_operation_strategies: vec![operation],
        };
        for response in [
            Response { operation_sampling: Some(per_operation), ..Response::default() },
            Response { rate_limiting_sampling: Some(RateLimiting { max_traces_per_second: limit }), ..Response::default() },
        ] {
            if let Ok(strategy) = Strategy::new(&response, &before) {
                kind(&strategy, "a", 0);
            }
        }
    }
}
