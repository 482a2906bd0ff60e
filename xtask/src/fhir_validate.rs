//! `cargo xtask fhir-validate`: every kind of resource that leaves a running stack, against HL7's own validator for R4.

mod resources;

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::Args;
use testkit::postgres::Postgres;
use testkit::stack::{Service, Stack};
use tokio::process::Command;

use crate::cargo::{build_services, succeed};

/// The validator's project.
const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fhir");
/// Where it is built, and where the resources are left to be looked at.
const OUTPUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/fhir-validate");

#[derive(Args)]
pub(crate) struct Options {
    /// Only collect the resources.
    #[arg(long)]
    collect: bool,
}

/// Starts a stack of its own, collects what it answers and has it validated; says so where there is no Java to do it.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let can_validate = answers("java").await && answers("mvn").await;
    if !options.collect && !can_validate {
        println!("skipped: HL7's validator needs java and mvn, and they are not both here");
        return Ok(());
    }
    build_services().await?;
    let folder = Path::new(OUTPUT).join("resources");
    let mut postgres = Postgres::builder().fsync(false).start().await?;
    postgres.cluster().create_template().await?;
    let stack = Stack::builder()
        .cluster(postgres.cluster())
        .env(Service::Gateway, "EPRO_TRACE_URL", "http://127.0.0.1:16686/trace/")
        .start()
        .await?;
    let collected = tokio::select! {
        collected = resources::collect(&stack) => collected,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    stack.stop().await?;
    postgres.stop().await?;

    // Those of an earlier run would be validated as well.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    for (name, resource) in collected? {
        fs::write(folder.join(format!("{name}.json")), serde_json::to_vec_pretty(&resource)?)?;
    }
    if options.collect { Ok(()) } else { validate(&folder).await }
}

/// Whether a program is there.
async fn answers(program: &str) -> bool {
    let version = Command::new(program).arg("-version").output().await;
    version.is_ok_and(|output| output.status.success())
}

async fn validate(folder: &Path) -> anyhow::Result<()> {
    let class_path = Path::new(OUTPUT).join("class-path");
    let mut build = Command::new("mvn");
    build.current_dir(PROJECT).args(["--quiet", "--batch-mode", "compile", "dependency:build-classpath"]);
    build.arg(format!("-Dmdep.outputFile={}", class_path.display()));
    succeed(build).await?;
    let libraries = fs::read_to_string(&class_path).context("read the class path")?;
    let classes = Path::new(OUTPUT).join("classes");
    let mut validator = Command::new("java");
    validator.arg("-cp").arg(format!("{}:{}", classes.display(), libraries.trim()));
    validator.arg("validate.Main").arg(folder);
    succeed(validator).await
}
