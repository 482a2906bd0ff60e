//! `cargo xtask <command>`: the tasks of developers and CI.

#![expect(clippy::disallowed_methods, reason = "a tool: its calls belong to no trace")]

mod architecture;
mod bench;
mod cargo;
mod chaos;
mod copies;
mod costs;
mod demo;
mod e2e_compose;
mod explain;
mod fhir_validate;
mod file;
mod fuzz_api;
mod sampling_lab;
mod scenario;
mod sqlx;
mod test;
mod trace;
mod verify_traces;
mod w3c_trace_context;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Runs, tests and checks the project.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the five services without Docker, submits a report and prints its trace as a tree.
    Demo(demo::Options),
    /// Runs every test that needs no Docker, on a private Postgres.
    Test(test::Options),
    /// Builds and starts the compose stack, submits a report and judges what Jaeger, Mailpit and WireMock saw.
    E2eCompose(e2e_compose::Options),
    /// Runs three copies of each service in containers, shows how they share the work, and replaces all of them under
    /// load.
    Copies(copies::Options),
    /// Kills and partitions two copies of each service and Postgres under load, and checks that nothing is lost or
    /// stored twice and that every nurse is notified.
    Chaos(chaos::Options),
    /// Measures what a submission costs and how fast it is, in a release build, compared with other builds and
    /// settings.
    Bench(bench::Options),
    /// Runs the receivers for `bench`.
    #[command(name = bench::SINKS, hide = true)]
    BenchSinks,
    /// Compares the samplers under the same load with known failures: what each keeps, finds and costs.
    SamplingLab(sampling_lab::Options),
    /// Sends what `/openapi.json` allows, and what it does not, to a running stack (needs Python).
    FuzzApi(fuzz_api::Options),
    /// Checks every kind of FHIR resource in a stack's answers with HL7's validator (needs Java and Maven).
    FhirValidate(fhir_validate::Options),
    /// Counts what spans, requests, calls, log lines and rules cost, in instructions and allocations (needs Valgrind),
    /// and compares that with the stored figures.
    Costs(costs::Options),
    /// Runs the W3C's own test suite for Trace Context (needs Python with aiohttp).
    W3cTraceContext(w3c_trace_context::Options),
    /// Checks that each trace in Jaeger or in a file is complete; exits with 1 if one is not.
    VerifyTraces(verify_traces::Options),
    /// Prints a trace as a tree, as soon as no more of its spans arrive.
    Trace(trace::Options),
    /// Explains what went wrong in a trace, and where: in a sentence, with the evidence and where the time went.
    Explain(explain::Options),
    /// Makes a failure on purpose, and prints its trace and what the trace says about it.
    Scenario(scenario::Options),
    /// Checks the dependencies between crates, and where tracing is named.
    Architecture,
    /// Writes `.sqlx`, which lets the queries be checked without a database.
    Sqlx(sqlx::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Demo(options) => demo::run(options).await,
        Command::Test(options) => test::run(options).await,
        Command::E2eCompose(options) => e2e_compose::run(options).await,
        Command::Copies(options) => copies::run(options).await,
        Command::Chaos(options) => chaos::run(options).await,
        Command::Bench(options) => bench::run(options).await,
        Command::BenchSinks => testkit::bench::serve_sinks().await,
        Command::SamplingLab(options) => sampling_lab::run(options).await,
        Command::FuzzApi(options) => fuzz_api::run(options).await,
        Command::FhirValidate(options) => fhir_validate::run(options).await,
        Command::Costs(options) => costs::run(options).await,
        Command::W3cTraceContext(options) => w3c_trace_context::run(options).await,
        Command::VerifyTraces(options) => verify_traces::run(options).await,
        Command::Trace(options) => trace::run(options).await,
        Command::Explain(options) => explain::run(options).await,
        Command::Scenario(options) => scenario::run(options).await,
        Command::Architecture => architecture::run(),
        Command::Sqlx(options) => sqlx::run(options).await,
    }
}
