use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::{Config, Sampler, Task, Telemetry, fail_current, step};

#[tokio::test]
async fn a_tree_shows_kinds_names_failures_and_what_is_below_what() {
    let (telemetry, mut recorder) = Telemetry::recorded(&Config::new("test")).unwrap();
    let _default = tracing_subscriber::registry().with(telemetry.layers()).set_default();
    step("first", async { tracing::info_span!("own").in_scope(|| fail_current("full")) }).await;
    Task::internal("second").attribute("test.attempt", 2_i64).run(step("within", async {})).await;
    let tree = recorder.tree(4).await.unwrap();
    assert_eq!(tree, "INTERNAL first\n  INTERNAL own, failed: full\nINTERNAL second\n  INTERNAL within\n");
    assert_eq!(recorder.attribute("second", "test.attempt").as_deref(), Some("2"));
    assert_eq!(recorder.attribute("third", "test.attempt"), None);
}

#[tokio::test]
async fn what_the_configuration_does_not_sample_is_not_recorded() {
    let config = Config { sampler: Sampler::AlwaysOff, ..Config::new("test") };
    let (telemetry, mut recorder) = Telemetry::recorded(&config).unwrap();
    telemetry.scope(step("not kept", async {})).await;
    assert_eq!(recorder.tree(0).await.unwrap(), "");
}

#[tokio::test(start_paused = true)]
async fn a_test_that_waits_for_a_span_in_vain_is_told_what_there_is() {
    let (telemetry, mut recorder) = Telemetry::recorded(&Config::new("test")).unwrap();
    telemetry.scope(step("only", async {})).await;
    let error = recorder.tree(2).await.unwrap_err().to_string();
    assert_eq!(error, "there are no 2 spans that have ended, but:\nINTERNAL only\n");
}
