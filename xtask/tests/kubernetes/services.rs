//! Checks that the manifests match the project's own programs.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::cluster::{Cluster, Pod};
use crate::kustomize::{documents, list};
use crate::network::{self, Calls};
use crate::{SERVICES, clusters, program, root};

/// Images of the Dockerfile that do not run in a cluster.
const NOT_IN_A_CLUSTER: [&str; 3] = ["runtime", "certificates", "load"];

#[test]
fn every_image_of_the_dockerfile_is_run_and_no_other_of_ours() -> anyhow::Result<()> {
    let dockerfile = std::fs::read_to_string(root().join("Dockerfile"))?;
    let stages = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")?.split(" AS ").nth(1));
    let images: BTreeSet<_> = stages.filter(|it| *it != "builder" && !NOT_IN_A_CLUSTER.contains(it)).collect();
    for (overlay, cluster) in clusters()? {
        let pods = cluster.pods();
        let used = pods.iter().flat_map(Pod::containers).filter_map(|it| it["image"].as_str());
        let ours: BTreeSet<_> = used.filter_map(|it| it.split_once("epro/")?.1.split(':').next()).collect();
        assert_eq!(ours, images, "{overlay}");
        let untagged: Vec<_> = pods
            .iter()
            .flat_map(Pod::containers)
            .filter_map(|it| it["image"].as_str().filter(|it| !it.contains(':') || it.ends_with(":latest")))
            .collect();
        assert_eq!(untagged, Vec::<&str>::new(), "{overlay}");
    }
    Ok(())
}

/// A container's environment variables. Values from Secrets and fields are `x`.
fn variables(cluster: &Cluster, container: &Value) -> BTreeMap<String, String> {
    let data =
        |name: &Value| &cluster.find("ConfigMap", name.as_str().unwrap_or_default()).unwrap_or(&Value::Null)["data"];
    let mut variables = BTreeMap::new();
    for source in list(&container["envFrom"]) {
        for (key, value) in data(&source["configMapRef"]["name"]).as_object().into_iter().flatten() {
            variables.insert(key.clone(), value.as_str().unwrap_or_default().to_owned());
        }
    }
    for variable in list(&container["env"]) {
        let from = &variable["valueFrom"]["configMapKeyRef"];
        let key = from["key"].as_str().unwrap_or_default();
        let value = variable["value"].as_str().or_else(|| data(&from["name"])[key].as_str()).unwrap_or("x");
        let value = variables.iter().fold(value.to_owned(), |text, (name, value): (&String, &String)| {
            text.replace(&format!("$({name})"), value)
        });
        variables.insert(variable["name"].as_str().unwrap_or_default().to_owned(), value);
    }
    variables
}

#[test]
fn every_setting_is_one_that_the_service_takes() -> anyhow::Result<()> {
    for (overlay, cluster) in clusters()? {
        for pod in cluster.pods().iter().filter(|pod| SERVICES.contains(&pod.name.as_str())) {
            let container = pod.containers().next().context("no container")?;
            let variables = variables(&cluster, container);
            // A variable without `__` that is no setting would only cause a warning, so this checks the names.
            let defaults = documents(&root().join(&pod.name).join("config.yaml"))?.remove(0);
            for name in variables.keys().filter_map(|name| name.strip_prefix("EPRO_")).filter(|it| !it.contains("__")) {
                assert!(!defaults[name.to_lowercase()].is_null(), "{overlay}: {} has no {name}", pod.name);
            }
            // The program reads its settings, and then reports that the service does not run.
            let program = program(&pod.name)?;
            let output = Command::new(&program).arg("healthcheck").env_clear().envs(&variables).output();
            let output = output.with_context(|| format!("run {}: cargo build --workspace", program.display()))?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.code() == Some(1), "{overlay}: {}: {}", pod.name, output.status);
            ensure!(!said.starts_with("configuration"), "{overlay}: {}: {said}", pod.name);
        }
    }
    Ok(())
}

#[test]
fn probes_and_calls_go_to_the_ports_that_services_listen_on() -> anyhow::Result<()> {
    for (overlay, cluster) in clusters()? {
        for pod in cluster.pods().iter().filter(|pod| SERVICES.contains(&pod.name.as_str())) {
            let container = pod.containers().next().context("no container")?;
            let variables = variables(&cluster, container);
            let listen = &variables["EPRO_LISTEN"];
            assert_eq!(*listen, format!("0.0.0.0:{}", pod.ports()[0]), "{overlay}: {}", pod.name);
            let probe = if pod.name == "gateway" { "httpGet" } else { "tcpSocket" };
            assert_eq!(
                container["livenessProbe"][probe]["port"], container["ports"][0]["name"],
                "{overlay}: {}",
                pod.name
            );
            let ready = &container["readinessProbe"];
            let is_own = ready["exec"]["command"] == serde_json::json!([pod.name, "healthcheck"]);
            assert!(is_own || ready["httpGet"]["path"] == "/readyz", "{overlay}: {}", pod.name);
            for (name, url) in variables.iter().filter(|(name, _)| name.ends_with("_SVC__URL")) {
                let service = name["EPRO_".len()..name.len() - "__URL".len()].to_lowercase().replace('_', "-");
                let found = cluster.find("Service", &service).with_context(|| format!("no Service {service}"))?;
                assert_eq!(*url, format!("https://{service}:{}", found["spec"]["ports"][0]["port"]), "{overlay}");
                assert_eq!(found["spec"]["clusterIP"], "None", "{overlay}: {service} has to show all its copies");
            }
        }
    }
    Ok(())
}

#[test]
fn no_pod_of_ours_has_more_rights_than_it_needs() -> anyhow::Result<()> {
    for (overlay, cluster) in clusters()? {
        for pod in cluster.pods().iter().filter(|pod| pod.spec["automountServiceAccountToken"] != Value::Null) {
            let context = &pod.spec["securityContext"];
            assert!(
                context["runAsNonRoot"] == true && context["runAsUser"].as_u64() > Some(0),
                "{overlay}: {}",
                pod.name
            );
            assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault", "{overlay}: {}", pod.name);
            assert_eq!(pod.spec["automountServiceAccountToken"], false, "{overlay}: {}", pod.name);
            for container in pod.containers() {
                let context = &container["securityContext"];
                assert_eq!(context["allowPrivilegeEscalation"], false, "{overlay}: {}", pod.name);
                assert_eq!(context["readOnlyRootFilesystem"], true, "{overlay}: {}", pod.name);
                assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]), "{overlay}: {}", pod.name);
                assert!(container["resources"]["limits"]["memory"].is_string(), "{overlay}: {}", pod.name);
            }
        }
    }
    Ok(())
}

/// The calls in the section "Calls point one way" of ARCHITECTURE.md.
fn architecture() -> anyhow::Result<Calls> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md"))?;
    let rule = text.split("Calls point one way:").nth(1).and_then(|it| it.split('.').next()).context("no such rule")?;
    let port = |service: &str| {
        let config = documents(&root().join(service).join("config.yaml"))?.remove(0);
        let listen = config["listen"].as_str().and_then(|it| it.rsplit_once(':')).context("no port")?;
        Ok::<i64, anyhow::Error>(listen.1.parse()?)
    };
    let mut calls = Calls::new();
    for part in rule.split(';') {
        let (from, to) = part.split_once("->").context("an arrow")?;
        for to in to.split(',') {
            let to = to.trim().trim_end_matches(" (reads)");
            calls.insert((from.trim().to_owned(), to.to_owned(), port(to)?));
        }
    }
    Ok(calls)
}

#[test]
fn policies_let_through_the_calls_of_the_architecture_and_no_others() -> anyhow::Result<()> {
    let call = |(from, to, port): (&str, &str, i64)| (from.to_owned(), to.to_owned(), port);
    for (overlay, cluster) in clusters()? {
        let is_production = overlay.ends_with("production");
        let spans = if is_production { "router" } else { "jaeger" };
        let mut expected = architecture()?;
        ensure!(expected.len() == 7, "{expected:?}");
        for service in SERVICES {
            expected.insert(call((service, spans, 4317)));
        }
        for client in ["user-svc", "data-svc", "migrate"] {
            expected.insert(call((client, "postgres", 5432)));
        }
        let others: &[_] = if is_production {
            &[("router", "collector", 4317), ("collector", "jaeger", 4317), ("postgres", "postgres", 5432)]
        } else {
            &[("notify-svc", "mailpit", 1025), ("notify-svc", "sms-provider", 8080)]
        };
        expected.extend(others.iter().copied().map(call));
        let found: Calls = network::allowed(&cluster)?.into_iter().filter(|(_, to, _)| to != "gateway").collect();
        assert_eq!(found, expected, "{overlay}");

        let to_all = network::open_to_all(&cluster, "ingress");
        assert_eq!(to_all, [call(("gateway", "", 8080))].into(), "{overlay}");
        let from_all: BTreeSet<_> = network::open_to_all(&cluster, "egress").into_iter().map(|it| it.0).collect();
        let expected: &[&str] = if is_production { &["jaeger", "notify-svc", "postgres"] } else { &[] };
        assert_eq!(from_all.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{overlay}");
    }
    Ok(())
}
