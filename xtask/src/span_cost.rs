//! `cargo xtask span-cost`: what a span, a served request or call and a log line cost, in instructions and allocations,
//! which do not depend on the machine.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use clap::Args;
use testkit::otlp::Receiver;
use tokio::process::Command;

use crate::cargo::{cargo, succeed};

/// Where the figures are that each may cost.
const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/telemetry/examples/span_cost.json");

/// How much more than that is too much.
const TOLERANCE: f64 = 1.1;

/// What is done, and how many of it make up one time: a trace has ten spans.
const WORK: [(&str, f64); 4] = [("span", 10.0), ("request", 1.0), ("call", 1.0), ("line", 1.0)];

/// What many times cost more than few is what they cost each.
const TIMES: [u64; 2] = [200, 1_200];
const MORE: f64 = 1_000.0;

#[derive(Args)]
pub(crate) struct Options {
    /// Writes the figures as those that a span may cost from now on.
    #[arg(long)]
    save: bool,
}

/// Instructions and allocations of each, by what it is and by mode.
type Costs = BTreeMap<String, [f64; 2]>;

/// Runs the example under Valgrind: with spans that are recorded and sent, with ones that wait for a failure that does not
/// come, with ones that are not recorded, and disabled.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let mut build = cargo();
    build.args(["build", "--quiet", "--release", "--package", "telemetry", "--example", "span_cost"]);
    succeed(build).await?;
    let receiver = Receiver::start().await?;
    let endpoint = receiver.endpoint();
    let modes = [
        ("sampled, with export", ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint)),
        ("errors, nothing fails", ("OTEL_TRACES_SAMPLER", "errors")),
        ("unsampled", ("OTEL_TRACES_SAMPLER", "parentbased_always_off")),
        ("disabled", ("OTEL_SDK_DISABLED", "true")),
    ];
    let mut costs = Costs::new();
    for (what, parts) in WORK {
        for (mode, variable) in modes {
            let (few, many) = (measure(what, TIMES[0], variable).await?, measure(what, TIMES[1], variable).await?);
            let each = |number: usize| (many[number] - few[number]) / (MORE * parts);
            println!("{what}, {mode}: {:.0} instructions and {:.1} allocations each", each(0), each(1));
            costs.insert(format!("{what}, {mode}"), [each(0).round(), (each(1) * 10.0).round() / 10.0]);
        }
    }
    if options.save {
        return Ok(std::fs::write(BASELINE, serde_json::to_string_pretty(&costs)? + "\n")?);
    }
    judge(&costs)
}

fn judge(costs: &Costs) -> anyhow::Result<()> {
    let baseline: Costs = serde_json::from_str(&std::fs::read_to_string(BASELINE).context("read the baseline")?)?;
    for (mode, allowed) in &baseline {
        let cost = costs.get(mode).with_context(|| format!("{mode} was not measured"))?;
        for (what, cost, allowed) in [("instructions", cost[0], allowed[0]), ("allocations", cost[1], allowed[1])] {
            ensure!(cost <= allowed * TOLERANCE, "{mode}: {cost} {what} each, where {allowed} were enough");
        }
    }
    Ok(())
}

/// Instructions and allocations of a whole run.
async fn measure(what: &str, times: u64, (name, value): (&str, &str)) -> anyhow::Result<[f64; 2]> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/examples/span_cost");
    let mut numbers = [0.0; 2];
    let tools = [
        (&["--tool=callgrind", "--callgrind-out-file=/dev/null"][..], "Collected :"),
        (&["--tool=memcheck", "--leak-check=no", "--undef-value-errors=no"], "total heap usage:"),
    ];
    for (number, (tool, label)) in numbers.iter_mut().zip(tools) {
        let mut command = Command::new("valgrind");
        command.args(tool).arg(&program).arg(what).arg(times.to_string()).env(name, value);
        // Under Valgrind spans are made faster than they are sent. One that is lost costs less than others.
        command.env("OTEL_BSP_MAX_QUEUE_SIZE", "100000").env("RUST_LOG", "info");
        if value == "errors" {
            command.env("OTEL_TRACES_SAMPLER_ARG", "0");
        }
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
