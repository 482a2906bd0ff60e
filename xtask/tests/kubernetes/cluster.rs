//! The objects as a cluster would have them.

use serde_json::Value;

use crate::kustomize::{Rendered, list};

/// All objects of one overlay.
pub(crate) struct Cluster {
    pub(crate) rendered: Rendered,
}

/// The pod of a Deployment, of a Job or of an operator.
#[derive(Debug)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) labels: Value,
    pub(crate) spec: Value,
}

impl Cluster {
    /// The objects of one kind.
    pub(crate) fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.rendered.objects.iter().filter(move |object| object["kind"] == kind)
    }

    pub(crate) fn find(&self, kind: &str, name: &str) -> Option<&Value> {
        self.of(kind).find(|object| object["metadata"]["name"] == name)
    }

    /// One pod of each kind.
    pub(crate) fn pods(&self) -> Vec<Pod> {
        let made = self.of("Deployment").chain(self.of("Job")).map(|object| {
            let template = &object["spec"]["template"];
            Pod { name: name(object), labels: template["metadata"]["labels"].clone(), spec: template["spec"].clone() }
        });
        let instances = self.of("Cluster").map(|object| Pod {
            name: name(object),
            labels: serde_json::json!({"cnpg.io/cluster": object["metadata"]["name"]}),
            spec: serde_json::json!({"containers": [{"ports": [{"containerPort": 5432, "name": "postgres"}]}]}),
        });
        made.chain(instances).collect()
    }
}

impl Pod {
    pub(crate) fn containers(&self) -> impl Iterator<Item = &Value> {
        list(&self.spec["containers"])
    }

    pub(crate) fn ports(&self) -> Vec<i64> {
        self.containers().flat_map(|it| list(&it["ports"])).filter_map(|port| port["containerPort"].as_i64()).collect()
    }

    /// Whether a label selector selects it. An empty selector selects everything.
    pub(crate) fn is_in(&self, selector: &Value) -> bool {
        selector.is_object() && has(&self.labels, &selector["matchLabels"])
    }
}

/// Whether all wanted labels are present.
pub(crate) fn has(labels: &Value, wanted: &Value) -> bool {
    wanted.as_object().into_iter().flatten().all(|(key, value)| labels[key] == *value)
}

pub(crate) fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}
