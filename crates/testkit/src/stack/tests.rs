//! Fake services: shell scripts that log like a service.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Signal;

use super::*;
use crate::postgres::Postgres;
use crate::server_task::{ANY_PORT, ServerTask};

const LISTENING: &str = r#"echo '{"message":"listening","address":"127.0.0.1:12345"}'"#;

fn script(folder: &Path, lines: &str) -> anyhow::Result<PathBuf> {
    named_script(folder, "service", lines)
}

fn named_script(folder: &Path, name: &str, lines: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{lines}\n"))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

#[tokio::test]
async fn a_service_that_dies_at_its_start_is_reported_with_its_last_lines() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let program = script(folder.path(), r#"echo '{"message":"bad configuration"}'; echo plain >&2; exit 3"#)?;
    let error =
        Instance::start(Service::DataSvc, program, BTreeMap::new(), Network::default()).await.unwrap_err().to_string();
    assert!(error.contains("exit status: 3"), "{error}");
    assert!(error.contains("bad configuration"), "{error}");
    assert!(error.contains(r#"{"message":"plain","stream":"stderr"}"#), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_service_is_asked_to_end_and_started_again_on_its_port() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let lines = format!(
        r#"trap 'echo "{{\"message\":\"drained\",\"trace_id\":\"t1\"}}"; exit 7' TERM
        echo "{{\"message\":\"started\",\"listen\":\"$EPRO_LISTEN\",\"otel\":\"$OTEL_SERVICE_NAME\"}}"
        {LISTENING}; while :; do sleep 0.01; done"#
    );
    let environment = BTreeMap::from([("EPRO_LISTEN".to_owned(), "127.0.0.1:0".to_owned())]);
    let mut service =
        Instance::start(Service::DataSvc, script(folder.path(), &lines)?, environment, Network::default()).await?;
    assert_eq!(service.address, SocketAddr::from(([127, 0, 0, 1], 12345)));

    let status = service.end(Signal::TERM).await?;
    assert_eq!(status.code(), Some(7));
    let lines = service.log.all();
    let last = lines.iter().filter(|line| line["trace_id"] == "t1").count();
    assert_eq!(last, 1, "the last line is read before the end is reported");

    service.start_again().await?;
    service.log.wait_for(Duration::from_secs(1), |line| line["listen"] == "127.0.0.1:12345").await?;
    assert!(service.end(Signal::KILL).await?.code().is_none());
    assert!(service.end(Signal::TERM).await.is_err(), "it does not run any more");
    Ok(())
}

#[tokio::test]
async fn a_frozen_service_can_still_be_asked_to_end() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let lines = format!("trap 'exit 0' TERM\n{LISTENING}; while :; do sleep 0.01; done");
    let mut service =
        Instance::start(Service::DataSvc, script(folder.path(), &lines)?, BTreeMap::new(), Network::default()).await?;
    service.process.as_mut().context("it runs")?.signal(Signal::STOP)?;
    assert!(service.end(Signal::TERM).await?.success());
    Ok(())
}

#[tokio::test]
async fn a_stack_tells_its_services_where_the_others_are_and_stops_callers_first() -> anyhow::Result<()> {
    let postgres = Postgres::builder().fsync(false).start().await?;
    postgres.cluster().create_template().await?;
    let listener = tokio::net::TcpListener::bind(ANY_PORT).await?;
    let gateway = listener.local_addr()?.to_string();
    let _ready = ServerTask::http(listener, axum::Router::new().route("/readyz", axum::routing::get(|| async {})));

    let folder = tempfile::tempdir()?;
    let lines = r#"[ "$1" = openapi ] && echo "{}" && exit
        trap 'echo "${0##*/}" >> "${0%/*}/ended"; exit 0' TERM
        env
        echo "{\"message\":\"listening\",\"address\":\"${ADDRESS:-127.0.0.1:9}\"}"
        while :; do sleep 0.01; done"#;
    for service in Service::ALL {
        named_script(folder.path(), service.name(), lines)?;
    }
    let builder = Stack::builder().cluster(postgres.cluster()).binaries(folder.path()).port(Service::EproSvc, 50052);
    let stack =
        builder.env(Service::Gateway, "ADDRESS", &gateway).env_all("EPRO_TELEMETRY__SPANS", "warn").start().await?;

    assert_eq!(stack.url(Service::Gateway), format!("http://{gateway}"));
    let was_told = |service, setting: &str| stack.logs(service).iter().any(|line| line["message"] == setting);
    assert!(was_told(Service::Gateway, "EPRO_EPRO_SVC__URL=https://127.0.0.1:9"));
    assert!(was_told(Service::EproSvc, "EPRO_LISTEN=127.0.0.1:50052"));
    assert!(was_told(Service::EproSvc, "EPRO_TELEMETRY__SPANS=warn"));
    assert!(was_told(Service::DataSvc, &format!("EPRO_DATABASE__URL={}", stack.database.url("data_svc"))));
    assert!(was_told(Service::NotifySvc, &format!("EPRO_SMS__URL={}", stack.sms.url())));

    assert_eq!(stack.stop().await?.len(), 5);
    let ended = std::fs::read_to_string(folder.path().join("ended"))?;
    assert_eq!(ended.lines().collect::<Vec<_>>(), ["gateway", "epro-svc", "notify-svc", "user-svc", "data-svc"]);
    Ok(())
}

#[test]
fn callees_start_before_their_callers() {
    for (position, service) in Service::ALL.into_iter().enumerate() {
        for (callee, _) in service.callees() {
            assert!(Service::ALL[..position].contains(callee), "{callee} starts before {service}");
        }
    }
}
