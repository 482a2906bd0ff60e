//! Checks the manifests of `deploy/kubernetes`: each is valid for its kind, and all of them fit together and to the
//! rest of the project. This needs no cluster. If `kubectl` is installed, it checks them too.

#[path = "kubernetes/cluster.rs"]
mod cluster;
#[path = "kubernetes/copies.rs"]
mod copies;
#[path = "kubernetes/kustomize.rs"]
mod kustomize;
#[path = "kubernetes/network.rs"]
mod network;
#[path = "kubernetes/references.rs"]
mod references;
#[path = "kubernetes/services.rs"]
mod services;
#[path = "kubernetes/strict.rs"]
mod strict;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use regex_lite::Regex;
use serde_json::Value;

use cluster::{Cluster, name};
use kustomize::Rendered;

/// The folders that can be applied.
const OVERLAYS: [&str; 2] = ["deploy/kubernetes/laptop", "deploy/kubernetes/production"];

const SERVICES: [&str; 5] = ["gateway", "user-svc", "epro-svc", "data-svc", "notify-svc"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// One of our programs. `cargo build --workspace` puts it next to the tests.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    let tests = std::env::current_exe()?;
    Ok(tests.ancestors().nth(2).context("the folder of the programs")?.join(name))
}

/// Each overlay with its name.
fn clusters() -> anyhow::Result<Vec<(&'static str, Cluster)>> {
    let render = |overlay| Ok((overlay, Cluster { rendered: kustomize::render(&root().join(overlay))? }));
    OVERLAYS.into_iter().map(render).collect()
}

#[test]
fn every_object_has_what_its_kind_has_and_nothing_else() -> anyhow::Result<()> {
    for (overlay, cluster) in clusters()? {
        let mut names = BTreeSet::new();
        for object in &cluster.rendered.objects {
            strict::check(object).context(overlay)?;
            assert!(names.insert((object["kind"].to_string(), name(object))), "{overlay}: {object} is there twice");
        }
    }
    Ok(())
}

#[test]
fn a_misspelt_or_misplaced_member_is_found() -> anyhow::Result<()> {
    let cluster = clusters()?.remove(0).1;
    let gateway = cluster.find("Deployment", "gateway").context("no gateway")?;
    strict::check(gateway)?;
    for path in
        ["/spec", "/spec/template/spec", "/spec/template/spec/containers/0", "/spec/template/spec/volumes/0/secret"]
    {
        let mut object = gateway.clone();
        object.pointer_mut(path).context(path)?["replica"] = 1.into();
        assert!(strict::check(&object).is_err(), "{path}");
    }
    Ok(())
}

#[test]
fn every_file_is_used_and_every_file_that_is_used_is_there() -> anyhow::Result<()> {
    let read: BTreeSet<_> = clusters()?.into_iter().flat_map(|(_, cluster)| cluster.rendered.files).collect();
    for folder in ["base", "laptop", "production"] {
        for entry in std::fs::read_dir(root().join("deploy/kubernetes").join(folder))? {
            let path = entry?.path().canonicalize()?;
            if path.extension().is_some_and(|extension| extension == "yaml") {
                assert!(read.contains(&path), "{} is in no kustomization.yaml", path.display());
            }
        }
    }
    Ok(())
}

#[test]
fn kubectl_comes_to_the_same() -> anyhow::Result<()> {
    let kubectl = |folder: &Path| Command::new("kubectl").arg("kustomize").arg(folder).output();
    if !Command::new("kubectl").args(["version", "--client"]).output().is_ok_and(|output| output.status.success()) {
        eprintln!("not asked: there is no kubectl");
        return Ok(());
    }
    // Adds certificates, because a fresh clone has none.
    let folder = tempfile::tempdir()?;
    let copied = Command::new("cp").arg("-r").arg(root().join("deploy")).arg(folder.path()).status()?;
    ensure!(copied.success(), "cp ended with {copied}");
    let certificates = folder.path().join(OVERLAYS[0]).join("certificates");
    let names = SERVICES.iter().chain(&["postgres-rw"]);
    let made = Command::new(program("certificates")?).arg(&certificates).args(names).status()?;
    ensure!(made.success(), "certificates ended with {made}");
    for overlay in OVERLAYS {
        let folder = folder.path().join(overlay);
        let Rendered { objects, generated, .. } = kustomize::render(&folder)?;
        let output = kubectl(&folder)?;
        ensure!(output.status.success(), "{overlay}: {}", String::from_utf8_lossy(&output.stderr));
        let mut text = String::from_utf8(output.stdout)?;
        for name in generated {
            text = Regex::new(&format!(r"\b{name}-[a-z0-9]{{10}}\b"))?.replace_all(&text, name.as_str()).into_owned();
        }
        let theirs = kustomize::parse(&text)?;
        assert_eq!(objects.len(), theirs.len(), "{overlay}");
        for object in &objects {
            let is_it = |other: &&Value| other["kind"] == object["kind"] && name(other) == name(object);
            let other = theirs.iter().find(is_it).with_context(|| format!("{overlay}: kubectl has no {object}"))?;
            // Secrets are in base64 in the output of kubectl.
            if object["kind"] != "Secret" {
                assert_eq!(object, other, "{overlay}");
            }
        }
    }
    Ok(())
}
