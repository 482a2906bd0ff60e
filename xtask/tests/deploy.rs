//! Checks that the files under `deploy` fit together: names in one file exist in the others. This needs no images. If
//! Docker Compose and a collector are installed, they check the files too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use yaml_rust2::{Yaml, YamlLoader};

const SERVICES: [&str; 5] = ["gateway", "user-svc", "epro-svc", "data-svc", "notify-svc"];

const BASE: &str = "docker-compose.yml";

/// Overlays that can be added to the compose file. Each list is a valid combination.
const OVERLAYS: [&[&str]; 2] =
    [&["deploy/compose.sampling.yml"], &["deploy/compose.sampling.yml", "deploy/compose.sampling-scaled.yml"]];

/// A collector's container, and its configuration file.
const COLLECTORS: [(&str, &str); 2] =
    [("collector", "deploy/collector/sampling.yaml"), ("router", "deploy/collector/router.yaml")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn yaml(path: &str) -> anyhow::Result<Yaml> {
    let text = std::fs::read_to_string(root().join(path)).with_context(|| format!("read {path}"))?;
    let documents = YamlLoader::load_from_str(&text).with_context(|| format!("parse {path}"))?;
    documents.into_iter().next().with_context(|| format!("{path} is empty"))
}

/// The keys of a mapping. Empty for other values.
fn keys(yaml: &Yaml) -> BTreeSet<&str> {
    yaml.as_hash().into_iter().flatten().filter_map(|(key, _)| key.as_str()).collect()
}

/// The strings of a list. Empty for other values.
fn texts(yaml: &Yaml) -> BTreeSet<&str> {
    yaml.as_vec().into_iter().flatten().filter_map(Yaml::as_str).collect()
}

#[test]
fn a_collectors_pipelines_name_what_is_configured_and_all_of_it() -> anyhow::Result<()> {
    for (_, path) in COLLECTORS {
        let configuration = yaml(path)?;
        let service = &configuration["service"];
        let pipelines: Vec<&Yaml> = service["pipelines"].as_hash().into_iter().flatten().map(|(_, it)| it).collect();
        for section in ["receivers", "processors", "exporters"] {
            let named: BTreeSet<&str> = pipelines.iter().flat_map(|pipeline| texts(&pipeline[section])).collect();
            assert!(!named.is_empty(), "{path}: {section}");
            assert_eq!(named, keys(&configuration[section]), "{path}: {section}");
        }
        assert_eq!(texts(&service["extensions"]), keys(&configuration["extensions"]), "{path}: extensions");
        for pipeline in pipelines {
            assert_eq!(pipeline["processors"][0].as_str(), Some("memory_limiter"), "{path}");
        }
    }
    Ok(())
}

#[test]
fn every_service_sends_its_spans_to_a_container_that_takes_them() -> anyhow::Result<()> {
    for overlays in OVERLAYS {
        let files = overlays.iter().map(|path| yaml(path)).collect::<anyhow::Result<Vec<_>>>()?;
        let last = files.last().context("no overlay")?;
        for service in SERVICES {
            let endpoint = last["services"][service]["environment"]["EPRO_TELEMETRY__ENDPOINT"].as_str();
            let endpoint = endpoint.with_context(|| format!("{overlays:?}: {service} has no endpoint"))?;
            let (host, port) =
                endpoint.strip_prefix("http://").and_then(|rest| rest.split_once(':')).context("no URL")?;
            assert!(keys(&last["services"][service]["depends_on"]).contains(host), "{overlays:?}: {service}");
            assert_eq!(listens(host)?, format!("0.0.0.0:{port}"), "{overlays:?}: {service}");
        }
    }
    Ok(())
}

/// The address on which a collector receives spans, from its configuration.
fn listens(container: &str) -> anyhow::Result<String> {
    let path = COLLECTORS.iter().find(|(name, _)| *name == container).context("no collector")?.1;
    let endpoint = yaml(path)?["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].as_str().map(str::to_owned);
    endpoint.with_context(|| format!("{path} has no OTLP receiver"))
}

#[test]
fn every_collector_is_given_its_configuration_and_asked_for_its_health() -> anyhow::Result<()> {
    for (overlay, (container, path)) in OVERLAYS[1].iter().zip(COLLECTORS) {
        let file = yaml(overlay)?;
        let collector = &file["services"][container];
        let mounted = format!("./{path}:/etc/otelcol-contrib/config.yaml:ro");
        assert!(texts(&collector["volumes"]).contains(mounted.as_str()), "{overlay}: {container}");
        assert!(texts(&collector["command"]).contains("--config=/etc/otelcol-contrib/config.yaml"), "{overlay}");
        // HEALTH_HOST is not set in compose. It is only set in deploy/kubernetes.
        let endpoint = &yaml(path)?["extensions"]["health_check"]["endpoint"];
        let endpoint = endpoint.as_str().map(|at| at.replace("${env:HEALTH_HOST:-127.0.0.1}", "127.0.0.1"));
        let health = endpoint.map(|at| format!("http://{at}/"));
        let health = health.with_context(|| format!("{path} has no health check"))?;
        assert!(texts(&collector["healthcheck"]["test"]).contains(health.as_str()), "{overlay}: {container}");
    }
    Ok(())
}

#[test]
fn what_a_collector_sends_to_is_a_container_that_listens_there() -> anyhow::Result<()> {
    let jaeger = yaml("deploy/jaeger/config.yaml")?;
    let sampling = yaml(COLLECTORS[0].1)?;
    let (host, port) = sampling["exporters"]["otlp_grpc"]["endpoint"]
        .as_str()
        .and_then(|at| at.split_once(':'))
        .context("no endpoint")?;
    assert!(keys(&yaml(BASE)?["services"]).contains(host));
    let listening = jaeger["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].as_str();
    assert_eq!(listening, Some(format!("0.0.0.0:{port}").as_str()));

    let router = yaml(COLLECTORS[1].1)?;
    let dns = &router["exporters"]["load_balancing"]["resolver"]["dns"];
    let host = dns["hostname"].as_str().context("no host name")?;
    assert_eq!(listens(host)?, format!("0.0.0.0:{}", dns["port"].as_str().context("no port")?));
    Ok(())
}

#[test]
fn docker_compose_takes_every_combination() -> anyhow::Result<()> {
    let compose = |arguments: &[&str]| {
        let mut docker = Command::new("docker");
        // One overlay needs values for these ports.
        docker.envs([("OTLP_PORT", "4317"), ("SMTP_PORT", "1025")]);
        docker.arg("compose").args(arguments).current_dir(root()).output()
    };
    if !compose(&["version"]).is_ok_and(|output| output.status.success()) {
        eprintln!("not asked: there is no Docker Compose");
        return Ok(());
    }
    for overlays in
        OVERLAYS.into_iter().chain([&[][..], &["deploy/compose.scenarios.yml"], &["deploy/compose.copies.yml"]])
    {
        let files: Vec<&str> = [BASE].iter().chain(overlays).flat_map(|path| ["-f", *path]).collect();
        let output = compose(&[&files[..], &["--profile", "load", "config", "--quiet"]].concat())?;
        ensure!(output.status.success(), "{files:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

#[test]
fn a_collector_takes_every_configuration() -> anyhow::Result<()> {
    let names = ["otelcol-contrib", "otelcol"];
    let runs = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    let Some(collector) = names.into_iter().find(runs) else {
        eprintln!("not asked: there is no OpenTelemetry Collector");
        return Ok(());
    };
    for (overlay, (container, path)) in OVERLAYS[1].iter().zip(COLLECTORS) {
        let file = yaml(overlay)?;
        let gates = &file["services"][container]["command"];
        let mut command = Command::new(collector);
        command.arg("validate").arg(format!("--config={path}")).current_dir(root());
        command.args(texts(gates).iter().filter(|argument| argument.starts_with("--feature-gates")));
        let output = command.output()?;
        ensure!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
