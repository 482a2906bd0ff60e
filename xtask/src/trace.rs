//! `cargo xtask trace`: a trace as a tree, once no more of its spans come.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use testkit::jaeger::Jaeger;
use traces::Trace;

use crate::explain::trace_id;

/// Services send their spans every second.
const QUIET: Duration = Duration::from_millis(1500);

/// For a trace to become quiet.
const DEADLINE: Duration = Duration::from_secs(15);

#[derive(Args)]
pub(crate) struct Options {
    /// The trace's id, as an answer's `traceresponse` header and every log line have it.
    trace_id: String,
    /// The Jaeger that has it.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:16686")]
    jaeger: String,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let id = trace_id(&options.trace_id)?;
    let url = options.jaeger.trim_end_matches('/');
    let seen = Cell::new((0, Instant::now()));
    let is_quiet = |trace: &Trace| {
        let (spans, since) = seen.get();
        if spans != trace.spans.len() {
            seen.set((trace.spans.len(), Instant::now()));
        }
        spans == trace.spans.len() && spans > 0 && trace.orphans().is_empty() && since.elapsed() > QUIET
    };
    let trace = Jaeger::new(url).wait_for(&id, DEADLINE, is_quiet).await?;
    ensure!(!trace.spans.is_empty(), "{url} has no such trace");
    print!("{trace}");
    println!("{url}/trace/{id}");
    Ok(())
}
