//! `cargo xtask fhir-validate`: checks every kind of resource that a running stack returns with HL7's validator for R4.

mod resources;

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::Args;
use testkit::postgres::Postgres;
use testkit::stack::{Service, Stack};
use tokio::process::Command;

use crate::cargo::{build_services, succeed};

/// The project that runs the validator.
const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fhir");
/// The folder for the build, and for the collected resources.
const OUTPUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/fhir-validate");

#[derive(Args)]
pub(crate) struct Options {
    /// Only collect the resources.
    #[arg(long)]
    collect: bool,
}

/// Starts a stack of its own, collects its answers and validates them. Without Java it only says so.
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

    // Otherwise the resources of an earlier run would be validated too.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    for (name, resource) in collected? {
        fs::write(folder.join(format!("{name}.json")), serde_json::to_vec_pretty(&resource)?)?;
    }
    if options.collect { Ok(()) } else { validate(&folder).await }
}

/// Whether a program can be run.
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
