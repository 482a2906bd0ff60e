//! `cargo xtask costs`: counts the instructions and allocations of a span, a served request, a call, a log line and the
//! validation of a submission. Both hardly depend on the machine. Valgrind does not see mimalloc's allocations, so for
//! the validation only the instructions count.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::Value;
use testkit::otlp::Receiver;
use tokio::process::Command;

use crate::cargo::cargo;

/// The file with the accepted figures.
const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/costs.json");

/// The accepted factors for instructions and allocations. Instructions include those of woken threads, which differ by
/// an eighth between runs on a busy machine. Allocations do not differ.
const TOLERANCES: [f64; 2] = [1.2, 1.1];

/// Optimised, but builds in half the time of a release.
const PROFILE: &str = "costs";

/// Each work is run this often. The difference of the two, divided, is the cost of one.
const TIMES: [u64; 2] = [200, 1_200];
const MORE: f64 = 1_000.0;

/// The modes of telemetry's example, and how many of the counted things one repetition has. For example, a trace has
/// ten spans.
const TRACED: [(&str, f64); 3] = [("span", 10.0), ("request", 1.0), ("call", 1.0)];

#[derive(Args)]
pub(crate) struct Options {
    /// Saves the figures as the new accepted ones.
    #[arg(long)]
    save: bool,
}

/// Instructions and allocations, by work and mode.
type Costs = BTreeMap<String, [f64; 2]>;

/// A program that repeats something as often as `TIMES` says.
struct Work {
    program: PathBuf,
    arguments: Vec<String>,
    /// How many of the counted things one repetition has.
    parts: f64,
    variables: Vec<(&'static str, String)>,
}

/// Measures under Valgrind: spans that are exported, spans that are held for a failure that does not come, spans that
/// are not recorded because of a ratio or at all, and tracing disabled.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let traced = build(&["build", "--package", "telemetry", "--example", "costs"]).await?;
    let rules = build(&["test", "--no-run", "--package", "epro-svc", "--lib"]).await?;
    let receiver = Receiver::start().await?;
    let mut costs = Costs::new();
    for (name, work) in works(&traced, rules, &receiver.endpoint()) {
        let (few, many) = tokio::try_join!(work.measure(TIMES[0]), work.measure(TIMES[1]))?;
        let each = |number: usize| (many[number] - few[number]) / (MORE * work.parts);
        println!("{name}: {:.0} instructions and {:.1} allocations each", each(0), each(1));
        costs.insert(name, [each(0).round(), (each(1) * 10.0).round() / 10.0]);
    }
    if options.save {
        return Ok(std::fs::write(BASELINE, serde_json::to_string_pretty(&costs)? + "\n")?);
    }
    judge(&costs)
}

/// Builds a program with Cargo. Returns its path.
async fn build(arguments: &[&str]) -> anyhow::Result<PathBuf> {
    let mut command = cargo();
    command.args(arguments).args(["--quiet", "--profile", PROFILE, "--message-format", "json-render-diagnostics"]);
    let output = command.stderr(std::process::Stdio::inherit()).kill_on_drop(true).output().await?;
    ensure!(output.status.success(), "cargo {} ended with {}", arguments.join(" "), output.status);
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut programs = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    programs.next_back().context("cargo has built no program")
}

fn works(traced: &Path, rules: PathBuf, endpoint: &str) -> Vec<(String, Work)> {
    let sampler = |name: &str, argument: &str| {
        vec![("OTEL_TRACES_SAMPLER", name.to_owned()), ("OTEL_TRACES_SAMPLER_ARG", argument.to_owned())]
    };
    let export = || vec![("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.to_owned())];
    let modes = [
        ("sampled, with export", export()),
        ("errors, nothing fails", sampler("errors", "0")),
        ("a ratio, not chosen", sampler("parentbased_traceidratio", "0")),
        ("unsampled", sampler("parentbased_always_off", "")),
        ("disabled", vec![("OTEL_SDK_DISABLED", "true".to_owned())]),
    ];
    let of_example = |what: &str, parts: f64, variables: &[(&'static str, String)]| Work {
        program: traced.to_owned(),
        arguments: vec![what.to_owned()],
        parts,
        variables: variables.to_vec(),
    };
    let mut works = Vec::new();
    for (what, parts) in TRACED {
        works.extend(modes.iter().map(|(mode, set)| (format!("{what}, {mode}"), of_example(what, parts, set))));
    }
    works.push(("line".to_owned(), of_example("line", 1.0, &export())));
    let arguments = ["--ignored", "--exact", "rules::tests::what_a_submission_costs"].map(str::to_owned).to_vec();
    works.push(("rules".to_owned(), Work { program: rules, arguments, parts: 1.0, variables: Vec::new() }));
    works
}

fn judge(costs: &Costs) -> anyhow::Result<()> {
    let baseline: Costs = serde_json::from_str(&std::fs::read_to_string(BASELINE).context("read the baseline")?)?;
    ensure!(baseline.keys().eq(costs.keys()), "the baseline is of other things than those that were counted");
    for (name, allowed) in &baseline {
        let cost = costs[name];
        for (number, what) in ["instructions", "allocations"].into_iter().enumerate() {
            let (cost, allowed) = (cost[number], allowed[number]);
            ensure!(cost <= allowed * TOLERANCES[number], "{name}: {cost} {what} each, where {allowed} were enough");
        }
    }
    Ok(())
}

impl Work {
    /// The instructions and allocations of a whole run.
    async fn measure(&self, times: u64) -> anyhow::Result<[f64; 2]> {
        let mut numbers = [0.0; 2];
        let tools = [
            (&["--tool=callgrind", "--callgrind-out-file=/dev/null"][..], "Collected :"),
            (&["--tool=memcheck", "--leak-check=no", "--undef-value-errors=no"], "total heap usage:"),
        ];
        for (number, (tool, label)) in numbers.iter_mut().zip(tools) {
            let mut command = Command::new("valgrind");
            command.args(tool).arg(&self.program).args(&self.arguments).env("TIMES", times.to_string());
            // Under Valgrind, spans are made faster than they can be exported, and a dropped span would cost less than
            // the others.
            command
                .env("OTEL_BSP_MAX_QUEUE_SIZE", "100000")
                .env("RUST_LOG", "info")
                .envs(self.variables.iter().cloned());
            let output = command.kill_on_drop(true).output().await.context("run valgrind")?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "valgrind ended with {}: {said}", output.status);
            let lines = String::from_utf8_lossy(&output.stdout);
            ensure!(!lines.contains("WARN"), "it warned: {lines}");
            let counted = said.split(label).nth(1).and_then(|rest| rest.split_whitespace().next());
            *number = counted.with_context(|| format!("no {label} in {said}"))?.replace(',', "").parse()?;
        }
        Ok(numbers)
    }
}
