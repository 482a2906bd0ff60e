//! `cargo xtask explain`: explains what went wrong in a trace, using only the trace.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Args;
use testkit::jaeger::Jaeger;
use traces::Trace;
use traces::explain::explain;

use crate::verify_traces::read;

#[derive(Args)]
pub(crate) struct Options {
    /// The trace's id, as an answer's `traceresponse` header and every log line have it.
    #[arg(required_unless_present = "file")]
    trace_id: Option<String>,
    /// The Jaeger that has it.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:16686")]
    jaeger: String,
    /// Reads OTLP (JSON, lines of JSON, protobuf) or what Jaeger's UI downloads, and explains each trace in it, or the one
    /// of the id.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Prints everything as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    for trace in find(&options).await? {
        let explanation = explain(&trace);
        if options.json {
            println!("{:#}", explanation.to_json());
        } else {
            println!("{explanation}\n{trace}");
        }
    }
    Ok(())
}

async fn find(options: &Options) -> anyhow::Result<Vec<Trace>> {
    let id = options.trace_id.as_deref().map(trace_id).transpose()?;
    if let Some(file) = &options.file {
        let mut traces = read(file)?;
        traces.retain(|trace| id.as_ref().is_none_or(|id| trace.id() == id));
        ensure!(!traces.is_empty(), "{} has no such trace", file.display());
        return Ok(traces);
    }
    let id = id.context("name a trace or a file")?;
    // A missing trace gets an explanation too, which says where to look.
    Ok(vec![Jaeger::new(options.jaeger.trim_end_matches('/')).trace(&id).await?])
}

/// A trace's id in lower case.
///
/// # Errors
/// When it is none.
pub(crate) fn trace_id(text: &str) -> anyhow::Result<String> {
    let is_id = !text.is_empty() && text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure!(is_id, "{text} is no trace id: 32 hexadecimal digits");
    Ok(text.to_lowercase())
}
