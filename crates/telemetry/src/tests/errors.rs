//! Which spans are kept by several services that keep only the traces of errors.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;

use super::grpc;
use crate::config::settings::Settings;
use crate::config::{Errors, Sampler};
use crate::export::tests::receiver::{Behaviour, Receiver};
use crate::http::{Client, ServerLayer};
use crate::{Config, Task, Telemetry, TraceContext, fail_current, step, unsampled};

/// Services that export what they keep to one receiver.
struct Fleet {
    receiver: Receiver,
    services: Vec<Telemetry>,
}

impl Fleet {
    async fn of(names: &[&str]) -> Self {
        let receiver = Receiver::start(Behaviour::Take).await;
        let services = names.iter().map(|name| service(name, &receiver.endpoint(), 0.0)).collect();
        Self { receiver, services }
    }

    /// The spans that were kept, by service.
    async fn kept(&self) -> BTreeMap<String, Vec<Span>> {
        for service in &self.services {
            let provider = service.0.tracing.as_ref().unwrap().provider.clone();
            tokio::task::spawn_blocking(move || provider.force_flush()).await.unwrap().unwrap();
        }
        let mut kept = BTreeMap::<_, Vec<_>>::new();
        for request in self.receiver.requests() {
            kept.entry(request.service).or_default().extend(request.content);
        }
        kept
    }

    /// The names of what was kept, all of one trace, sampled and of unknown probability.
    async fn names(&self) -> Vec<(String, Vec<String>)> {
        let kept = self.kept().await;
        let traces: std::collections::BTreeSet<_> = kept.values().flatten().map(|span| &span.trace_id).collect();
        assert!(traces.len() <= 1, "{kept:#?}");
        assert!(kept.values().flatten().all(|span| span.flags & 1 == 1 && span.trace_state.is_empty()), "{kept:#?}");
        let sorted = |spans: &Vec<Span>| {
            let mut names: Vec<_> = spans.iter().map(|span| span.name.clone()).collect();
            names.sort();
            names
        };
        kept.iter().map(|(service, spans)| (service.clone(), sorted(spans))).collect()
    }
}

fn service(name: &str, endpoint: &str, ratio: f64) -> Telemetry {
    let sampler = Sampler::Errors(Errors { ratio, hold: Duration::from_hours(1), ..Errors::default() });
    let config = Config { endpoint: Some(endpoint.to_owned()), sampler, ..Config::new(name) };
    Telemetry::with_settings(&config, Settings::new(&config, "1", |_| None)).unwrap()
}

/// Serves `/ok`, `/fail`, and `/relay`, which calls `/fail` of `next` and succeeds all the same.
async fn serve(service: &Telemetry, next: Option<SocketAddr>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    service
        .scope(async move {
            let relay = async move || {
                step("work", ask(next.unwrap(), "/fail")).await;
            };
            let app = Router::new()
                .route("/ok", get(async || ()))
                .route("/fail", get(async || StatusCode::INTERNAL_SERVER_ERROR))
                .route("/relay", get(relay))
                .layer(ServerLayer::new(&[]).in_mesh());
            tokio::spawn(async { axum::serve(listener, app).await });
        })
        .await;
    address
}

async fn ask(address: SocketAddr, path: &'static str) {
    let client = Client::new(Duration::from_secs(5)).unwrap().in_mesh();
    client.get(format!("http://{address}{path}").parse().unwrap(), path).send().await.unwrap();
}

fn named(service: &str, names: &[&str]) -> (String, Vec<String>) {
    (service.to_owned(), names.iter().map(|&name| name.to_owned()).collect())
}

#[tokio::test]
async fn the_path_to_a_failure_is_kept_by_all_who_asked_for_it_and_what_goes_well_by_nobody() {
    let fleet = Fleet::of(&["a", "b", "c"]).await;
    let [a, b, c] = &fleet.services[..] else { unreachable!() };
    let c = serve(c, None).await;
    let b = serve(b, Some(c)).await;
    a.scope(step("well", ask(b, "/ok"))).await;
    assert_eq!(fleet.names().await, []);
    a.scope(step("root", async {
        step("before", async {}).await;
        ask(b, "/relay").await;
    }))
    .await;
    assert_eq!(
        fleet.names().await,
        [
            named("a", &["GET /relay", "before", "root"]),
            named("b", &["GET /fail", "GET /relay", "work"]),
            named("c", &["GET /fail"]),
        ]
    );
}

#[tokio::test]
async fn a_failed_rpc_is_kept_on_both_sides_wherever_its_status_travels() {
    for method in ["Fail", "FailLate"] {
        let fleet = Fleet::of(&["a", "b"]).await;
        let [a, b] = &fleet.services[..] else { unreachable!() };
        let address = b.scope(grpc::serve()).await;
        let path = format!("/test.v1.Test/{method}");
        let answer = a.scope(step("root", async {
            let response = grpc::start(address, &path).await.unwrap();
            response.into_body().collect().await.map(drop)
        }));
        assert!(answer.await.is_ok());
        assert_eq!(fleet.names().await, [named("a", &["root", &path[1..]]), named("b", &[&path[1..]])]);
    }
}

#[tokio::test]
async fn who_is_asked_after_a_failure_keeps_that_and_what_it_still_has_of_before() {
    let fleet = Fleet::of(&["a", "b"]).await;
    let [a, b] = &fleet.services[..] else { unreachable!() };
    let b = serve(b, None).await;
    let stored = a.scope(step("root", async {
        ask(b, "/ok").await;
        assert!(!TraceContext::current().to_string().ends_with("-03"));
        step("broken", async { fail_current("test") }).await;
        ask(b, "/ok").await;
        TraceContext::current()
    }));
    assert!(stored.await.to_string().ends_with("-03"), "what runs later in the same trace is kept too");
    let names = [named("a", &["GET /ok", "GET /ok", "broken", "root"]), named("b", &["GET /ok", "GET /ok"])];
    assert_eq!(fleet.names().await, names);
}

#[tokio::test]
async fn a_stored_context_of_a_trace_that_was_kept_is_kept_by_whoever_works_on_it() {
    let fleet = Fleet::of(&["a", "b"]).await;
    let [a, b] = &fleet.services[..] else { unreachable!() };
    let stored = a.scope(step("root", async {
        fail_current("test");
        TraceContext::current()
    }));
    let stored = stored.await;
    b.scope(Task::internal("late").parent(stored).run(async {})).await;
    assert_eq!(fleet.names().await, [named("a", &["root"]), named("b", &["late"])]);
}

#[tokio::test]
async fn a_chosen_trace_says_its_probability_and_a_failure_takes_nothing_away() {
    let receiver = Receiver::start(Behaviour::Take).await;
    let services = vec![service("a", &receiver.endpoint(), 1.0)];
    let fleet = Fleet { receiver, services };
    fleet.services[0].scope(step("root", step("broken", async { fail_current("test") }))).await;
    for span in &fleet.kept().await["a"] {
        assert_eq!((span.flags & 3, &*span.trace_state), (3, "ot=th:0"), "{span:?}");
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_for_its_route_is_kept_as_if_it_had_failed() {
    let receiver = Receiver::start(Behaviour::Take).await;
    let rules = r#"[{"span": "GET /ok", "slow": "0s"}, {"span": "test.v1.Test/Ok", "slow": "0s"}]"#;
    let slow = |name: &str| {
        let sampler = Sampler::Errors(Errors { ratio: 0.0, hold: Duration::from_hours(1), ..Errors::default() });
        let rules = serde_json::from_str(rules).unwrap();
        let config = Config { endpoint: Some(receiver.endpoint()), sampler, rules, ..Config::new(name) };
        Telemetry::with_settings(&config, Settings::new(&config, "1", |_| None)).unwrap()
    };
    let services = vec![slow("a"), slow("b")];
    let fleet = Fleet { receiver, services };
    let [a, b] = &fleet.services[..] else { unreachable!() };
    let address = b.scope(grpc::serve()).await;
    let b = serve(b, None).await;
    a.scope(step("root", async {
        ask(b, "/ok").await;
        let response = grpc::start(address, "/test.v1.Test/Ok").await.unwrap();
        drop(response.into_body().collect().await);
    }))
    .await;
    let names = [named("a", &["GET /ok", "root", "test.v1.Test/Ok"]), named("b", &["GET /ok", "test.v1.Test/Ok"])];
    assert_eq!(fleet.names().await, names);
}

#[tokio::test]
async fn an_answer_of_a_stranger_has_nothing_kept() {
    let fleet = Fleet::of(&["a"]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // This service knows the trace, and says that it is kept.
    let echo = async |headers: HeaderMap| {
        let told = headers["x-trace"].to_str().unwrap().replace("-02", "-03");
        [("traceresponse", told)]
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(echo))).await });
    fleet.services[0]
        .scope(step("root", async {
            let client = Client::new(Duration::from_secs(5)).unwrap();
            let told = TraceContext::current().to_string();
            let request = client.get(format!("http://{address}/").parse().unwrap(), "/");
            request.with(|request| request.header("x-trace", told)).send().await.unwrap();
        }))
        .await;
    assert_eq!(fleet.names().await, []);
}

#[tokio::test]
async fn housekeeping_is_not_kept_when_it_fails_either() {
    let fleet = Fleet::of(&["a"]).await;
    fleet.services[0].scope(async { unsampled(step("poll", async { fail_current("test") })).await }).await;
    assert_eq!(fleet.names().await, []);
    assert_eq!(fleet.services[0].0.processor.as_ref().unwrap().held(), (0, 0));
}
