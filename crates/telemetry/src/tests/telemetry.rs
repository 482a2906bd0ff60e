//! Several telemetries in one process, disabled ones, and ones that export no spans.

use ::http::HeaderMap;
use opentelemetry::trace::TraceContextExt;

use super::Recorder;
use crate::config::settings::Settings;
use crate::telemetry::here;
use crate::{Boundary, Config, Task, Telemetry, TraceContext, step};

fn with(variables: &[(&str, &str)]) -> Telemetry {
    let config = Config::new("test");
    let read = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Telemetry::with_settings(&config, Settings::new(&config, "1", read)).unwrap()
}

/// The `traceparent` that the next service gets from work that was called with this one.
fn told_of(telemetry: &Telemetry, traceparent: &str) -> String {
    let headers = HeaderMap::from_iter([("traceparent".parse().unwrap(), traceparent.parse().unwrap())]);
    let origin = telemetry.0.extract(Boundary::Mesh, &headers, telemetry.outside());
    let _attached = origin.context.attach();
    let task = Task::internal("work").run(async {
        let (telemetry, context) = here();
        let mut headers = HeaderMap::new();
        telemetry.0.inject(Boundary::Mesh, &context, &mut headers);
        headers.get("traceparent").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    });
    futures_util::FutureExt::now_or_never(task).unwrap()
}

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

#[test]
fn where_telemetry_is_disabled_a_callers_context_passes_through_untouched() {
    assert_eq!(told_of(&with(&[("OTEL_SDK_DISABLED", "true")]), CALLER), CALLER);
}

#[test]
fn where_spans_go_nowhere_each_still_has_an_id_of_its_own_in_its_callers_trace() {
    let told = told_of(&with(&[("OTEL_TRACES_EXPORTER", "none")]), CALLER);
    assert!(told.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && told.ends_with("-03"), "{told}");
    assert_ne!(told, CALLER);
}

#[test]
fn a_sampler_that_follows_no_parent_decides_for_itself() {
    let console = ("OTEL_TRACES_EXPORTER", "console");
    let told = told_of(&with(&[console, ("OTEL_TRACES_SAMPLER", "always_off")]), CALLER);
    assert!(told.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && told.ends_with("-02"), "{told}");
    let told = told_of(&with(&[console, ("OTEL_TRACES_SAMPLER", "parentbased_always_off")]), CALLER);
    assert!(told.ends_with("-03"), "{told}");
}

#[test]
fn where_spans_go_nowhere_a_sampler_that_follows_no_parent_stays_in_its_callers_trace() {
    let none = ("OTEL_TRACES_EXPORTER", "none");
    let told = told_of(&with(&[none, ("OTEL_TRACES_SAMPLER", "always_off")]), CALLER);
    assert!(told.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && told.ends_with("-02"), "{told}");
}

#[tokio::test]
async fn two_telemetries_in_one_process_keep_their_tasks_apart() {
    let (first, second) = (with(&[("OTEL_SDK_DISABLED", "true")]), with(&[("OTEL_SDK_DISABLED", "true")]));
    first.scope(async { drop(Task::internal("stuck").spawn(std::future::pending::<()>())) }).await;
    second.scope(async { Task::internal("done").spawn(async {}).await }).await.unwrap();
    assert_eq!((first.0.tasks.len(), second.0.tasks.len()), (1, 0));
}

#[tokio::test]
async fn what_runs_within_a_scope_belongs_to_it_whatever_the_subscriber_says() {
    let recorder = Recorder::start();
    let disabled = with(&[("OTEL_SDK_DISABLED", "true")]);
    let inside = disabled.scope(step("work", async { TraceContext::current().0.is_valid() })).await;
    assert!(!inside && recorder.spans().is_empty());
    assert!(step("work", async { opentelemetry::Context::current().has_active_span() }).await);
}
