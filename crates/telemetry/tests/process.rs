//! Tests of a whole process: the test binary starts itself again, as a service with telemetry of its own.

#![expect(clippy::unwrap_used, reason = "a test may panic anywhere")]

use std::env;
use std::io::Read;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::Uri;
use serde_json::Value;
use telemetry::{Config, Counter, Histogram, Task};
use tokio::net::TcpListener;

const ROLE: &str = "TELEMETRY_TEST_ROLE";
const WORDS: &str = "Jane-Doe-feels-bad";
const DEADLINE: Duration = Duration::from_secs(2);

static COUNTED: Counter = Counter::new("test.counted", "{thing}");
static SPREAD: Histogram = Histogram::new("test.spread", "s", &[0.5, 2.0]);

fn run(role: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "the_service", "--nocapture"]).env(ROLE, role).env_remove("RUST_LOG");
    command.envs(variables.iter().copied()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    stdout(output)
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The only line with this message.
fn line(lines: &[Value], message: &str) -> Value {
    let mut found = lines.iter().filter(|line| line["message"] == message);
    let line = found.next().unwrap_or_else(|| panic!("no {message:?} in {lines:#?}"));
    assert!(found.next().is_none(), "{message:?} more than once in {lines:#?}");
    line.clone()
}

/// Not a test of its own: what runs in the process that the tests start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service() {
    let Ok(role) = env::var(ROLE) else { return };
    let mut config: Config = serde_json::from_str(r#"{"name": "test"}"#).unwrap();
    // Its backlog takes connections, but no answer ever comes.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    if role == "silent" {
        config.endpoint = Some(format!("http://{}", silent.local_addr().unwrap()));
    }
    let received = Arc::new(Mutex::new(Vec::new()));
    if role == "counting" {
        config.endpoint = Some(collect(Arc::clone(&received)).await);
    }
    COUNTED.add(1, &[("kind", "before")]);
    let telemetry = telemetry::init(&config, "1.0.0").unwrap();
    COUNTED.add(1, &[("kind", "after")]);
    match role.as_str() {
        "panic" => assert!(Task::internal("send sms").spawn(async { panic!("{WORDS}") }).await.is_err()),
        "slow" => drop(Task::internal("slow").spawn(tokio::time::sleep(Duration::from_millis(100)))),
        "stuck" => drop(Task::internal("stuck").spawn(std::future::pending::<()>())),
        "counting" => {
            COUNTED.add(1, &[("kind", "after")]);
            SPREAD.record(1.0, &[]);
        }
        "flood" => flood(),
        _ => {
            let started = Instant::now();
            for _ in 0..2000 {
                Task::internal("work").spawn(async {}).await.unwrap();
            }
            telemetry::info!(seconds = started.elapsed().as_secs_f64(), "worked");
        }
    }
    let started = Instant::now();
    telemetry.shutdown(DEADLINE).await;
    telemetry::info!(in_time = started.elapsed() < DEADLINE + Duration::from_millis(500), "stopped");
    for (path, body) in received.lock().unwrap().iter() {
        telemetry::info!(path, body, "received");
    }
}

/// Logs ten times as much as a pipe and the queue before it hold, and says on standard error how long that took.
fn flood() {
    let started = Instant::now();
    for line in 0..200_000 {
        telemetry::info!(line, "nobody reads this");
    }
    eprintln!("{}", started.elapsed().as_secs_f64());
    // The test harness would wait for a reader that does not exist.
    std::process::exit(0);
}

/// Starts a collector that keeps what is posted to it, and returns its address.
#[expect(clippy::disallowed_methods, reason = "the other side of the test")]
async fn collect(received: Arc<Mutex<Vec<(String, String)>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(async move |uri: Uri, body: Bytes| {
        received.lock().unwrap().push((uri.path().to_owned(), String::from_utf8_lossy(&body).into_owned()));
    });
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    address
}

#[test]
fn a_standard_output_that_nobody_reads_stops_nothing() {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "the_service", "--nocapture"]).env(ROLE, "flood").env("OTEL_TRACES_EXPORTER", "none");
    // The pipe is kept open and not read.
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut seconds = String::new();
    child.stderr.as_mut().unwrap().read_to_string(&mut seconds).unwrap();
    assert!(child.wait().unwrap().success());
    let seconds: f64 = seconds.trim().parse().unwrap();
    assert!(seconds < 10.0, "{seconds} s for 200,000 lines");
}

#[test]
fn a_panic_leaves_its_place_and_none_of_its_text() {
    let output = run("panic", &[("OTEL_TRACES_EXPORTER", "console")]);
    let line = line(&lines(&output), "panic");
    assert!(line["place"].as_str().unwrap().contains("process.rs:"), "{line}");
    assert!(line["trace_id"].is_string(), "{line}");
    let span = stdout(&output);
    let span = span.lines().find(|line| line.contains("send sms")).unwrap();
    assert!(span.contains("Error"), "{span}");
    let everything = format!("{}{}", stdout(&output), String::from_utf8_lossy(&output.stderr));
    assert!(!everything.contains(WORDS), "{everything}");
}

#[test]
fn a_task_that_still_runs_at_shutdown_is_waited_for_and_its_span_is_sent() {
    let output = run("slow", &[("OTEL_TRACES_EXPORTER", "console")]);
    assert!(stdout(&output).contains("Internal slow "), "{}", stdout(&output));
    assert_eq!(line(&lines(&output), "stopped")["in_time"], true);
}

#[test]
fn a_task_that_never_ends_is_left_behind_at_the_deadline() {
    let lines = lines(&run("stuck", &[("OTEL_TRACES_EXPORTER", "none")]));
    assert_eq!(line(&lines, "shutdown did not wait for all tasks")["tasks"], 1);
    assert_eq!(line(&lines, "stopped")["in_time"], true);
}

#[test]
fn a_collector_that_is_not_there_costs_spans_and_their_number_is_logged() {
    let lines = lines(&run("absent", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")]));
    let outage = line(&lines, "spans cannot be sent");
    assert!(outage["error"].as_str().unwrap().contains("refused"), "{outage}");
    let lost = line(&lines, "spans were lost in all");
    assert_eq!((&lost["lost_spans"], &lost["ended_spans"]), (&2000.into(), &2000.into()));
    assert!(lost["causes"].as_str().unwrap().contains("UNAVAILABLE"), "{lost}");
    assert_eq!(line(&lines, "stopped")["in_time"], true);
}

#[test]
fn a_collector_that_hangs_delays_neither_the_work_nor_the_end() {
    let counts = [("OTEL_METRICS_EXPORTER", "otlp"), ("OTEL_METRIC_EXPORT_INTERVAL", "50")];
    let lines = lines(&run("silent", &counts));
    let worked = line(&lines, "worked");
    assert!(worked["seconds"].as_f64().unwrap() < 1.5, "{worked}");
    assert_eq!(line(&lines, "spans were lost in all")["lost_spans"], 2000);
    assert_eq!(line(&lines, "the last metrics may be lost")["level"], "WARN");
    assert_eq!(line(&lines, "stopped")["in_time"], true);
}

#[test]
fn what_was_counted_is_sent_at_shutdown_with_the_resource_of_the_spans() {
    let over_http = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    let lines = lines(&run("counting", &[over_http, ("OTEL_METRICS_EXPORTER", "otlp")]));
    let received = line(&lines, "received");
    assert_eq!(received["path"], "/v1/metrics");
    let body = received["body"].as_str().unwrap();
    for text in [
        "test.counted",
        "{thing}",
        "after",
        "test.spread",
        "service.name",
        "service.instance.id",
        "otel.sdk.processor.span.processed",
    ] {
        assert!(body.contains(text), "no {text} in {body:?}");
    }
    assert!(!body.contains("before"), "counted although nothing was there to count: {body:?}");
    assert_eq!(line(&lines, "stopped")["in_time"], true);
}

#[test]
fn nothing_is_counted_unless_it_is_asked_for() {
    let lines = lines(&run("counting", &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]));
    assert!(lines.iter().all(|line| line["message"] != "received"), "{lines:#?}");
}

#[test]
fn what_is_shed_before_a_queue_is_full_is_counted() {
    let lines = lines(&run("silent", &[("OTEL_BSP_MAX_QUEUE_SIZE", "100"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "50")]));
    let lost = line(&lines, "spans were lost in all");
    assert_eq!(lost["lost_spans"], 2000);
    assert!(lost["causes"].as_str().unwrap().contains("\"shed\""), "{lost}");
}
