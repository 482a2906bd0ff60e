//! The calls that the network policies allow.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::cluster::{Cluster, Pod};
use crate::kustomize::list;

/// Caller, callee and port. Pods are given by name.
pub(crate) type Calls = BTreeSet<(String, String, i64)>;

/// Every call between two pods that the policies of both allow, at the ports that the callee listens on.
pub(crate) fn allowed(cluster: &Cluster) -> anyhow::Result<Calls> {
    let pods = cluster.pods();
    let policies: Vec<_> = cluster.of("NetworkPolicy").collect();
    let mut calls = Calls::new();
    for from in &pods {
        for to in &pods {
            for port in to.ports() {
                let out = lets(&policies, from, "Egress", "egress", "to", to, port)?;
                if out && lets(&policies, to, "Ingress", "ingress", "from", from, port)? {
                    calls.insert((from.name.clone(), to.name.clone(), port));
                }
            }
        }
    }
    Ok(calls)
}

/// Whether a policy opens a pod to peers that are not pods: the public API, or addresses outside the cluster.
pub(crate) fn open_to_all(cluster: &Cluster, direction: &str) -> Calls {
    let mut open = Calls::new();
    for policy in cluster.of("NetworkPolicy") {
        for rule in list(&policy["spec"][direction]) {
            let end = if direction == "ingress" { "from" } else { "to" };
            if !rule[end].is_null() && list(&rule[end]).all(|peer| peer["ipBlock"].is_null()) {
                continue;
            }
            for pod in cluster.pods().iter().filter(|pod| pod.is_in(&policy["spec"]["podSelector"])) {
                for port in list(&rule["ports"]) {
                    open.insert((pod.name.clone(), String::new(), port["port"].as_i64().unwrap_or_default()));
                }
            }
        }
    }
    open
}

fn lets(
    policies: &[&Value],
    subject: &Pod,
    kind: &str,
    member: &str,
    end: &str,
    peer: &Pod,
    port: i64,
) -> anyhow::Result<bool> {
    let is_of = |policy: &&&Value| {
        subject.is_in(&policy["spec"]["podSelector"]) && list(&policy["spec"]["policyTypes"]).any(|it| it == kind)
    };
    let mut selected = policies.iter().filter(is_of).peekable();
    ensure!(selected.peek().is_some(), "no policy is about the {member} of {}", subject.name);
    let mut found = false;
    for rule in selected.flat_map(|policy| list(&policy["spec"][member])) {
        let ports = rule["ports"].as_array().context("a rule names its ports")?;
        let has_port = ports.iter().any(|it| it["port"] == port && it["protocol"].as_str().unwrap_or("TCP") == "TCP");
        let is_meant =
            |it: &Value| it["namespaceSelector"].is_null() && it["ipBlock"].is_null() && peer.is_in(&it["podSelector"]);
        found |= has_port && (rule[end].is_null() || list(&rule[end]).any(is_meant));
    }
    Ok(found)
}
