//! Decodes each object with the type of its kind, and checks that no member is unknown.

use anyhow::{Context, bail, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Members of the custom resources that we use, as their documentation has them.
const CUSTOM: [(&str, &str, &[&str]); 3] = [
    ("cert-manager.io/v1", "Issuer", &["selfSigned", "ca"]),
    (
        "cert-manager.io/v1",
        "Certificate",
        &[
            "isCA",
            "commonName",
            "dnsNames",
            "secretName",
            "duration",
            "renewBefore",
            "privateKey",
            "usages",
            "issuerRef",
        ],
    ),
    (
        "postgresql.cnpg.io/v1",
        "Cluster",
        &[
            "instances",
            "imageName",
            "enableSuperuserAccess",
            "primaryUpdateStrategy",
            "bootstrap",
            "postgresql",
            "storage",
            "walStorage",
            "affinity",
            "resources",
            "inheritedMetadata",
        ],
    ),
];

/// # Errors
/// When the object has a member that its kind does not have, or one of another type.
pub(crate) fn check(object: &Value) -> anyhow::Result<()> {
    let text = |member: &Value| member.as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    match (version.as_str(), kind.as_str()) {
        ("v1", "Namespace") => decode::<Namespace>(object),
        ("v1", "Service") => decode::<Service>(object),
        ("v1", "ConfigMap") => decode::<ConfigMap>(object),
        ("v1", "Secret") => decode::<Secret>(object),
        ("apps/v1", "Deployment") => decode::<Deployment>(object),
        ("batch/v1", "Job") => decode::<Job>(object),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => decode::<HorizontalPodAutoscaler>(object),
        ("policy/v1", "PodDisruptionBudget") => decode::<PodDisruptionBudget>(object),
        ("networking.k8s.io/v1", "NetworkPolicy") => decode::<NetworkPolicy>(object),
        ("networking.k8s.io/v1", "Ingress") => decode::<Ingress>(object),
        _ => custom(object, &version, &kind),
    }
    .with_context(|| format!("{kind} {}", object["metadata"]["name"]))
}

/// Decodes and encodes the object. A member that is lost in between does not exist in the type.
fn decode<T: DeserializeOwned + Serialize>(object: &Value) -> anyhow::Result<()> {
    let mut unknown = Vec::new();
    let decoded: T = serde_ignored::deserialize(object, |path| unknown.push(path.to_string()))?;
    ensure!(unknown.is_empty(), "there is no {unknown:?}");
    lost(object, &serde_json::to_value(decoded)?, "").map_or(Ok(()), |path| bail!("{path} is not kept"))
}

/// The first member of `one` that `other` does not have.
fn lost(one: &Value, other: &Value, path: &str) -> Option<String> {
    match (one, other) {
        (Value::Object(members), Value::Object(others)) => members.iter().find_map(|(key, value)| {
            let path = format!("{path}/{key}");
            match others.get(key) {
                Some(other) => lost(value, other, &path),
                None => Some(path),
            }
        }),
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => items
            .iter()
            .zip(others)
            .enumerate()
            .find_map(|(at, (one, other))| lost(one, other, &format!("{path}/{at}"))),
        (Value::Array(_) | Value::Object(_), _) => Some(path.to_owned()),
        _ => None,
    }
}

fn custom(object: &Value, version: &str, kind: &str) -> anyhow::Result<()> {
    let known =
        CUSTOM.iter().find(|known| (known.0, known.1) == (version, kind)).context("this kind is not known here")?;
    for member in object["spec"].as_object().context("there is no spec")?.keys() {
        ensure!(known.2.contains(&member.as_str()), "there is no spec.{member}");
    }
    Ok(())
}
