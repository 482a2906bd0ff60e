//! Starting, stopping and the number of copies.

use anyhow::Context;

use crate::cluster::{Cluster, name};
use crate::kustomize::documents;
use crate::{SERVICES, clusters, root};

/// The longest shutdown of a service (crates/service-kit/src/service.rs): the time to finish running requests, and the
/// time to export the last spans.
const STOPPING: u64 = 11 + 10;

#[test]
fn a_copy_has_the_time_to_stop_that_it_takes_and_goes_when_another_has_come() -> anyhow::Result<()> {
    for (overlay, cluster) in clusters()? {
        for service in SERVICES {
            let deployment = cluster.find("Deployment", service).context("no Deployment")?;
            let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
            assert_eq!(
                (&rolling["maxUnavailable"], &rolling["maxSurge"]),
                (&0.into(), &1.into()),
                "{overlay}: {service}"
            );
            let spec = &deployment["spec"]["template"]["spec"];
            let before =
                spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().context("no preStop")?;
            let grace = spec["terminationGracePeriodSeconds"].as_u64().context("no grace period")?;
            assert!(before >= 5 && grace >= before + STOPPING + 5, "{overlay}: {service}");
        }
    }
    Ok(())
}

/// A number from a service's default configuration.
fn default(service: &str, block: &str, key: &str) -> anyhow::Result<u64> {
    let config = documents(&root().join(service).join("config.yaml"))?.remove(0);
    config[block][key].as_u64().with_context(|| format!("{service} has no {block}.{key}"))
}

#[test]
fn postgres_takes_the_connections_of_as_many_copies_as_there_may_be() -> anyhow::Result<()> {
    let (_, production) = clusters()?.pop().context("no overlay")?;
    let postgres = production.of("Cluster").next().context("no Postgres")?;
    let most =
        postgres["spec"]["postgresql"]["parameters"]["max_connections"].as_str().context("no max_connections")?;
    let mut connections = 0;
    for service in ["user-svc", "data-svc"] {
        // One more during a rollout.
        connections += (copies(&production, service)? + 1) * default(service, "database", "max_connections")?;
    }
    // 30 for the job, the operator, the standbys and an administrator.
    assert!(connections + 30 <= most.parse()?, "{connections} of {most}");
    Ok(())
}

fn copies(cluster: &Cluster, service: &str) -> anyhow::Result<u64> {
    let scaler = cluster.find("HorizontalPodAutoscaler", service).context("no scaler")?;
    scaler["spec"]["maxReplicas"].as_u64().context("no maxReplicas")
}

#[test]
fn in_production_there_are_three_copies_of_each_service_and_one_of_them_at_a_time_goes() -> anyhow::Result<()> {
    let (_, production) = clusters()?.pop().context("no overlay")?;
    for service in SERVICES {
        let scaler = production.find("HorizontalPodAutoscaler", service).context("no scaler")?;
        assert!(scaler["spec"]["minReplicas"].as_u64() >= Some(3), "{service}");
        let budget = production.find("PodDisruptionBudget", service).context("no budget")?;
        assert_eq!(budget["spec"]["maxUnavailable"], 1, "{service}");
    }
    for deployment in production.of("Deployment") {
        let spread = &deployment["spec"]["template"]["spec"]["topologySpreadConstraints"];
        assert_eq!(spread.as_array().map(Vec::len), Some(2), "{}", name(deployment));
    }
    Ok(())
}
