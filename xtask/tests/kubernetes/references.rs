//! Checks that every object that another one names exists.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::cluster::{Cluster, Pod, has, name};
use crate::clusters;
use crate::kustomize::list;

/// Secrets that an overlay expects to exist, with their keys. README.md says where each comes from.
const GIVEN: [(&str, &[&str]); 5] = [
    ("user-svc-database", &["password"]),
    ("data-svc-database", &["password"]),
    ("sms-provider", &["account", "token"]),
    ("mail-server", &["url"]),
    ("jaeger-store", &["url", "username", "password", "ca.crt"]),
];

/// The keys of all `ConfigMap`s and Secrets that pods can use.
fn known(cluster: &Cluster, overlay: &str) -> BTreeMap<(&'static str, String), BTreeSet<String>> {
    let keys = |object: &Value, member: &str| {
        object[member].as_object().into_iter().flatten().map(|it| it.0.clone()).collect()
    };
    let texts = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
    let mut known = BTreeMap::new();
    for object in cluster.of("ConfigMap") {
        known.insert(("configmap", name(object)), keys(object, "data"));
    }
    for object in cluster.of("Secret") {
        known.insert(("secret", name(object)), keys(object, "stringData"));
    }
    for certificate in cluster.of("Certificate") {
        let secret = certificate["spec"]["secretName"].as_str().unwrap_or_default().to_owned();
        known.insert(("secret", secret), texts(&["ca.crt", "tls.crt", "tls.key"]));
    }
    for postgres in cluster.of("Cluster").map(name) {
        known.insert(("secret", format!("{postgres}-superuser")), texts(&["username", "password"]));
        known.insert(("secret", format!("{postgres}-ca")), texts(&["ca.crt", "ca.key"]));
    }
    if overlay.ends_with("production") {
        known.extend(GIVEN.iter().map(|(name, keys)| (("secret", (*name).to_owned()), texts(keys))));
    }
    known
}

/// The references of a pod: the kind, the name, and the key if there is one.
fn taken(pod: &Pod) -> Vec<(&'static str, String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut taken = Vec::new();
    for container in pod.containers() {
        for variable in list(&container["env"]) {
            for (kind, member) in [("configmap", "configMapKeyRef"), ("secret", "secretKeyRef")] {
                let reference = &variable["valueFrom"][member];
                taken.extend(text(&reference["name"]).map(|name| (kind, name, text(&reference["key"]))));
            }
        }
        for source in list(&container["envFrom"]) {
            taken.extend(text(&source["configMapRef"]["name"]).map(|name| ("configmap", name, None)));
        }
    }
    for volume in list(&pod.spec["volumes"]) {
        for (kind, member, name) in [("configmap", "configMap", "name"), ("secret", "secret", "secretName")] {
            let Some(name) = text(&volume[member][name]) else { continue };
            taken.extend(list(&volume[member]["items"]).map(|item| (kind, name.clone(), text(&item["key"]))));
            taken.push((kind, name, None));
        }
    }
    taken
}

#[test]
fn every_configmap_secret_and_key_that_a_pod_takes_is_there_and_every_one_that_is_there_is_taken() -> anyhow::Result<()>
{
    for (overlay, cluster) in clusters()? {
        let known = known(&cluster, overlay);
        let mut used = BTreeSet::new();
        for pod in cluster.pods() {
            for (kind, name, key) in taken(&pod) {
                let keys = known.get(&(kind, name.clone())).with_context(|| format!("{overlay}: no {kind} {name}"))?;
                ensure!(key.as_ref().is_none_or(|key| keys.contains(key)), "{overlay}: {kind} {name} has no {key:?}");
                used.insert((kind, name));
            }
        }
        let authorities = cluster.of("Issuer").filter_map(|issuer| issuer["spec"]["ca"]["secretName"].as_str());
        used.extend(authorities.map(|name| ("secret", name.to_owned())));
        let unused: Vec<_> = known.keys().filter(|it| !used.contains(*it)).collect();
        assert!(unused.is_empty(), "{overlay}: nobody takes {unused:?}");
    }
    Ok(())
}

#[test]
fn every_mount_has_its_volume_and_every_file_that_a_variable_names_its_mount() -> anyhow::Result<()> {
    for (overlay, cluster) in clusters()? {
        for pod in cluster.pods() {
            let volumes: BTreeSet<_> = list(&pod.spec["volumes"]).filter_map(|it| it["name"].as_str()).collect();
            let mounts: Vec<_> = pod.containers().flat_map(|it| list(&it["volumeMounts"])).collect();
            let mounted: BTreeSet<_> = mounts.iter().filter_map(|it| it["name"].as_str()).collect();
            assert_eq!(volumes, mounted, "{overlay}: {}", pod.name);
            for variable in pod.containers().flat_map(|it| list(&it["env"])) {
                let Some(path) = variable["value"].as_str().filter(|value| value.starts_with("/certificates/")) else {
                    continue;
                };
                let (folder, file) = path.rsplit_once('/').context("a path")?;
                let mount = mounts
                    .iter()
                    .find(|it| it["mountPath"] == folder)
                    .with_context(|| format!("{path} is not mounted"))?;
                assert!(
                    ["ca.crt", "tls.crt", "tls.key"].contains(&file) && mount["readOnly"] == true,
                    "{overlay}: {path}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn selectors_and_targets_name_what_there_is() -> anyhow::Result<()> {
    for (overlay, cluster) in clusters()? {
        let pods = cluster.pods();
        for service in cluster.of("Service") {
            let selected = pods.iter().filter(|pod| has(&pod.labels, &service["spec"]["selector"])).collect::<Vec<_>>();
            assert_eq!(selected.len(), 1, "{overlay}: Service {} has {selected:?}", name(service));
            for port in list(&service["spec"]["ports"]) {
                let target = &port["targetPort"];
                let mut ports = selected[0].containers().flat_map(|it| list(&it["ports"]));
                let is_it = |it: &Value| it["name"] == *target && it["containerPort"] == port["port"];
                assert!(ports.any(is_it), "{overlay}: Service {} leads to no {target}", name(service));
            }
        }
        for policy in
            cluster.of("NetworkPolicy").filter(|policy| name(policy) != "default-deny" && name(policy) != "names")
        {
            let is_of_one = pods.iter().any(|pod| pod.is_in(&policy["spec"]["podSelector"]));
            assert!(is_of_one, "{overlay}: NetworkPolicy {} is about no pod", name(policy));
        }
        for kind in ["Deployment", "Job"] {
            for object in cluster.of(kind) {
                let template = &object["spec"]["template"]["metadata"]["labels"];
                assert!(has(template, &object["spec"]["selector"]["matchLabels"]), "{overlay}: {}", name(object));
            }
        }
        for scaler in cluster.of("HorizontalPodAutoscaler") {
            let target = scaler["spec"]["scaleTargetRef"]["name"].as_str().unwrap_or_default();
            let deployment = cluster.find("Deployment", target).with_context(|| format!("{overlay}: no {target}"))?;
            assert!(
                deployment["spec"]["replicas"].is_null(),
                "{overlay}: {target} would be set back by the next apply"
            );
        }
        for budget in cluster.of("PodDisruptionBudget") {
            let is_of_one = pods.iter().filter(|pod| pod.is_in(&budget["spec"]["selector"])).count() == 1;
            assert!(is_of_one, "{overlay}: PodDisruptionBudget {}", name(budget));
        }
    }
    Ok(())
}
