mod quick;

use clap::Args;
use testkit::postgres::{ENVIRONMENT, Postgres};

use crate::cargo::{build_services_and, cargo, succeed};

#[derive(Args)]
pub(crate) struct Options {
    /// Only the unit tests of the crates in which something differs from the last commit: an answer in seconds.
    #[arg(long)]
    quick: bool,
    /// Passed on to `cargo test`, such as `-p data-svc`, a test's name, or `-- --nocapture`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs every test that needs no Docker: builds the programs, starts one Postgres for all tests, and runs `cargo test`.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    if options.quick {
        return quick::run().await;
    }
    let is_of_all = !options.arguments.iter().any(|argument| argument == "-p" || argument.starts_with("--package"));
    if is_of_all {
        // With the same options as the tests, so that nothing is compiled twice.
        let mut build = cargo();
        build.args(["build", "--workspace", "--all-targets"]);
        succeed(build).await?;
    } else {
        build_services_and(&["load"]).await?;
    }
    let mut postgres = Postgres::builder().fsync(false).start().await?;
    postgres.cluster().create_template().await?;

    let mut tests = cargo();
    tests.arg("test");
    if is_of_all {
        tests.arg("--workspace");
    }
    let url = postgres.cluster().admin_url("postgres");
    tests.args(options.arguments).env(ENVIRONMENT, &url).env("TELEMETRY_TEST_POSTGRES", &url);
    tokio::select! {
        tested = succeed(tests) => tested?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    }
    postgres.stop().await
}
