//! `cargo xtask fuzz-api`: runs [Schemathesis](https://schemathesis.io) against a running stack's `/openapi.json`.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use migrations::demo::{NURSES, PATIENTS};
use testkit::postgres::Postgres;
use testkit::stack::{Builder, Service, Stack};
use tokio::process::Command;

use crate::cargo::{build_services, succeed};

/// The version of the figures in `docs/fuzzing.md`.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

#[derive(Args)]
pub(crate) struct Options {
    /// Passed on to `schemathesis run`, such as `--seed 1` or `--max-examples 50`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Installs Schemathesis in the build folder, starts a stack of its own and runs all default checks.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    build_services().await?;
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/schemathesis"));
    let schemathesis = install(folder).await?;
    let mut postgres = Postgres::builder().fsync(false).start().await?;
    postgres.cluster().create_template().await?;
    let stack = patient(Stack::builder().cluster(postgres.cluster().clone())).start().await?;
    let url = stack.url(Service::Gateway);

    let mut command = Command::new(schemathesis);
    let files = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/fuzz_api"));
    let logins = serde_json::json!({
        "patient": [PATIENTS[0].login, PATIENTS[0].pin],
        "nurse": [NURSES[0].login, NURSES[0].pin],
    });
    command
        // It writes its own files to the current folder.
        .current_dir(folder)
        .arg("--config-file")
        .arg(files.join("schemathesis.toml"))
        .args(["run", &format!("{url}/openapi.json"), "--generation-database", "none"])
        .args(options.arguments)
        .env("PYTHONPATH", files)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("EPRO_FUZZ_URL", &url)
        .env("EPRO_FUZZ_LOGINS", logins.to_string());
    let fuzzed = tokio::select! {
        fuzzed = succeed(command) => fuzzed,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    };
    let panics = Service::ALL.iter().flat_map(|service| stack.logs(*service)).filter(is_panic).count();
    stack.stop().await?;
    postgres.stop().await?;
    ensure!(panics == 0, "{panics} panics in the services' logs");
    fuzzed
}

fn is_panic(line: &serde_json::Value) -> bool {
    line["message"].as_str().is_some_and(|message| message.contains("panic"))
}

/// Raises limits that one fast client would reach. They have their own tests.
fn patient(builder: Builder) -> Builder {
    [
        (Service::Gateway, "EPRO_RATE_LIMITS__ADDRESS__LOGINS__PER_MINUTE"),
        (Service::Gateway, "EPRO_RATE_LIMITS__ADDRESS__LOGINS__BURST"),
        (Service::Gateway, "EPRO_RATE_LIMITS__ADDRESS__ACTIVATIONS__PER_MINUTE"),
        (Service::Gateway, "EPRO_RATE_LIMITS__ADDRESS__ACTIVATIONS__BURST"),
        (Service::Gateway, "EPRO_RATE_LIMITS__ADDRESS__STRANGERS__PER_MINUTE"),
        (Service::Gateway, "EPRO_RATE_LIMITS__ADDRESS__STRANGERS__BURST"),
        (Service::Gateway, "EPRO_RATE_LIMITS__PERSON__PER_SECOND"),
        (Service::Gateway, "EPRO_RATE_LIMITS__PERSON__BURST"),
        (Service::Gateway, "EPRO_RATE_LIMITS__LOGIN__PER_MINUTE"),
        (Service::Gateway, "EPRO_RATE_LIMITS__LOGIN__BURST"),
        (Service::Gateway, "EPRO_RATE_LIMITS__ALL_LOGINS__PER_SECOND"),
        (Service::Gateway, "EPRO_RATE_LIMITS__ALL_LOGINS__BURST"),
        (Service::Gateway, "EPRO_RATE_LIMITS__ACCESS_TOKEN__PER_SECOND"),
        (Service::Gateway, "EPRO_RATE_LIMITS__ACCESS_TOKEN__BURST"),
        (Service::Gateway, "EPRO_RATE_LIMITS__REFRESH_TOKEN__PER_MINUTE"),
        (Service::Gateway, "EPRO_RATE_LIMITS__REFRESH_TOKEN__BURST"),
        (Service::Gateway, "EPRO_RATE_LIMITS__ALL_ACTIVATIONS__PER_SECOND"),
        (Service::Gateway, "EPRO_RATE_LIMITS__ALL_ACTIVATIONS__BURST"),
        (Service::UserSvc, "EPRO_SESSIONS__LOCKOUT__FAILURES"),
        (Service::UserSvc, "EPRO_SESSIONS__LOCKOUT__MOST_FAILURES"),
    ]
    .into_iter()
    .fold(builder, |builder, (service, setting)| builder.env(service, setting, "60000"))
    .env(Service::UserSvc, "EPRO_SESSIONS__FAILED_LOGIN_TAKES", "0s")
}

/// Installs the program in a Python environment in the build folder. Returns its path.
async fn install(folder: &Path) -> anyhow::Result<PathBuf> {
    let (python, program) = (folder.join("bin/python"), folder.join("bin/schemathesis"));
    if !python.exists() {
        let mut create = Command::new("python3");
        create.args(["-m", "venv"]).arg(folder);
        succeed(create).await?;
    }
    let mut install = Command::new(python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", SCHEMATHESIS]);
    succeed(install).await?;
    Ok(program)
}
