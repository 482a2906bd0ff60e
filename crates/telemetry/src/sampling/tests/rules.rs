use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{SpanKind, TraceId};
use opentelemetry_sdk::trace::{SamplingDecision, ShouldSample};

use crate::config::{Config, Rule, Sampler, Tls};
use crate::sampling::Sampling;
use crate::sampling::rules::Rules;
use crate::tests::Recorder;

fn rules(json: &str) -> Vec<Rule> {
    serde_json::from_str(json).unwrap()
}

fn is_kept(sampling: &Sampling, name: &str) -> bool {
    let trace_id = TraceId::from(0x80_0000_0000_0000);
    let result = sampling.should_sample(Some(&Context::new()), trace_id, name, &SpanKind::Server, &[], &[]);
    result.decision == SamplingDecision::RecordAndSample
}

#[test]
fn the_first_rule_that_says_something_of_a_root_counts_and_else_the_sampler() {
    let config = Config {
        rules: rules(
            r#"[{"span": "GET /rare", "keep": "always"},
                {"span": "GET /a*", "slow": "1s"},
                {"span": "GET /all", "keep": 1, "slow": "2s"},
                {"span": "GET /a*", "keep": 0.25},
                {"span": "GET /never", "keep": "never"}]"#,
        ),
        ..Config::new("shop")
    };
    let off = Sampling::new(Sampler::AlwaysOff, true, &config);
    let kept = |name| is_kept(&off, name);
    assert_eq!(
        [kept("GET /rare"), kept("GET /all"), kept("GET /a"), kept("GET /"), kept("")],
        [true, true, false, false, false]
    );
    let on = Sampling::new(Sampler::AlwaysOn, true, &config);
    assert_eq!([is_kept(&on, "GET /never"), is_kept(&on, "GET /abc"), is_kept(&on, "GET /")], [false, false, true]);
    assert_eq!(on.slow("GET /all"), Some(Duration::from_secs(1)));
    assert_eq!(on.slow("GET /rare"), None);
}

#[test]
fn a_rule_that_makes_no_sense_is_refused() {
    for text in [
        r#"{"keep": 1}"#,
        r#"{"span": "a", "keep": 2}"#,
        r#"{"span": "a", "keep": "sometimes"}"#,
        r#"{"span": "a", "slow": "soon"}"#,
        r#"{"span": "a", "kep": 1}"#,
    ] {
        assert!(serde_json::from_str::<Rule>(text).is_err(), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_is_followed_and_one_that_cannot_be_used_leaves_the_rules_and_is_said_once() {
    let recorder = Recorder::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yaml");
    let rules = Rules::new(&rules(r#"[{"span": "a", "slow": "1s"}]"#));
    let following = tokio::spawn(rules.clone().follow(file.clone()));
    // The clock is paused and moves only by this sleep: the file is checked three times, without a real wait. More than
    // once, to see that nothing is logged twice.
    let looked = async || tokio::time::sleep(Duration::from_secs(3)).await;
    looked().await;
    assert_eq!(rules.slow("a"), Some(Duration::from_secs(1)));
    // The contents have different lengths, because the clock of a file system may be coarse.
    for (written, seconds) in [
        ("rules:\n  - {span: a, slow: 2s}\n", 2),
        ("rules: [\n", 2),
        ("rules:\n  - {span: a, slow: 3s, keep: 7}\n", 2),
        ("rules:\n  - span: a*\n    keep: always\n    slow: 30s\n", 30),
    ] {
        std::fs::write(&file, written).unwrap();
        looked().await;
        assert_eq!(rules.slow("a"), Some(Duration::from_secs(seconds)), "{written}");
    }
    std::fs::remove_file(&file).unwrap();
    looked().await;
    assert_eq!(rules.slow("a"), Some(Duration::from_secs(30)));
    let levels: Vec<_> = recorder.lines().iter().map(|line| line["level"].clone()).collect();
    assert_eq!(levels, ["WARN", "INFO", "WARN", "WARN", "INFO", "WARN"]);
    following.abort();
}

#[test]
fn a_file_changes_what_a_running_sampler_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yaml");
    std::fs::write(&file, "rules: [{span: work, keep: always}]").unwrap();
    let config = Config { rules_file: Some(file), ..Config::new("shop") };
    let sampling = Sampling::new(Sampler::AlwaysOff, true, &config);
    assert!(!is_kept(&sampling, "work"));
    sampling.watch("shop", &Tls::default()).unwrap();
    let started = std::time::Instant::now();
    while !is_kept(&sampling, "work") {
        assert!(started.elapsed() < Duration::from_secs(10));
        std::thread::yield_now();
    }
}
