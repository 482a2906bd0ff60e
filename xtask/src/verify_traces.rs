//! `cargo xtask verify-traces`: checks that every trace is complete.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use clap::Args;
use testkit::jaeger::Jaeger;
use traces::verify::{Expectation, Margins, verify};
use traces::{Span, Trace};

#[derive(Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(crate) struct Options {
    /// Asks the Jaeger with this address, such as `http://127.0.0.1:16686`.
    #[arg(long, group = "source", value_name = "URL")]
    jaeger: Option<String>,
    /// Reads OTLP (JSON, lines of JSON, protobuf) or what Jaeger's UI downloads; may be repeated.
    #[arg(long, group = "source", value_name = "FILE")]
    file: Vec<PathBuf>,
    /// How far back Jaeger is asked, such as `90s`, `15m`, `2h`.
    #[arg(long, default_value = "1h", value_parser = duration)]
    since: Duration,
    /// The traces of this service alone; else of all that Jaeger knows.
    #[arg(long, requires = "jaeger")]
    service: Option<String>,
    /// A file that says what traces with certain roots look like, such as `e2e/traces.expect`.
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// How long after its last span a trace of Jaeger's is judged: spans may be on their way.
    #[arg(long, default_value = "10s", value_parser = duration)]
    settle: Duration,
    /// How far the clocks of two machines may differ.
    #[arg(long, default_value = "50ms", value_parser = duration)]
    skew: Duration,
    /// Prints everything as JSON.
    #[arg(long)]
    json: bool,
}

fn duration(text: &str) -> anyhow::Result<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().with_context(|| format!("{text} begins with no number"))?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => anyhow::bail!("{text} has no unit: ms, s, m or h"),
    };
    let milliseconds = number.checked_mul(milliseconds).with_context(|| format!("{text} is too long"))?;
    Ok(Duration::from_millis(milliseconds))
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let expectation: Option<Expectation> = match &options.expect {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
            Some(text.parse().with_context(|| format!("read {}", path.display()))?)
        }
        None => None,
    };
    let traces = match &options.jaeger {
        Some(url) => stored(&Jaeger::new(url.trim_end_matches('/')), &options).await?,
        None => filed(&options.file)?,
    };
    ensure!(!traces.is_empty(), "there is no trace to judge");
    let margins = Margins { skew: options.skew, ..Margins::default() };
    let report = verify(&traces, margins, expectation.as_ref());
    if options.json {
        println!("{:#}", report.to_json());
    } else {
        print!("{report}");
    }
    ensure!(report.is_good(), "{} of {} traces are not whole", traces.len() - report.whole(), traces.len());
    Ok(())
}

fn filed(files: &[PathBuf]) -> anyhow::Result<Vec<Trace>> {
    let mut spans = Vec::new();
    for file in files {
        spans.extend(read(file)?.into_iter().flat_map(|trace| trace.spans));
    }
    Ok(Trace::group(spans))
}

/// The traces of a file.
pub(crate) fn read(file: &PathBuf) -> anyhow::Result<Vec<Trace>> {
    let bytes = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    traces::read::traces(&bytes).with_context(|| format!("read {}", file.display()))
}

/// The traces in Jaeger, without those that are too young to judge.
async fn stored(jaeger: &Jaeger, options: &Options) -> anyhow::Result<Vec<Trace>> {
    let now = SystemTime::now();
    let services = match &options.service {
        Some(service) => vec![service.clone()],
        None => jaeger.services().await?,
    };
    let since = now.checked_sub(options.since).unwrap_or(UNIX_EPOCH);
    let mut traces = BTreeMap::new();
    for service in services {
        traces.extend(jaeger.traces_since(&service, since).await?);
    }
    let settled = now.checked_sub(options.settle).unwrap_or(UNIX_EPOCH).duration_since(UNIX_EPOCH)?.as_nanos();
    let is_young = |span: &Span| u128::from(span.end) > settled;
    let all = traces.len();
    traces.retain(|_, trace| !trace.spans.iter().any(is_young));
    if traces.len() < all {
        eprintln!("{} traces are younger than --settle and not judged", all - traces.len());
    }
    Ok(traces.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request and its call, as a file; `parent` is the parent of the call.
    fn file(parent: &str) -> String {
        let span = |id: &str, parent: &str, kind: u8| {
            format!(
                r#"{{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"{id}","parentSpanId":"{parent}","name":"x",
                    "kind":{kind},"startTimeUnixNano":"1000000000","endTimeUnixNano":"2000000000"}}"#
            )
        };
        let spans = [span("00000000000000a1", "", 2), span("00000000000000a2", parent, 3)].join(",");
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#)
    }

    async fn judged(parent: &str) -> anyhow::Result<()> {
        let saved = tempfile::NamedTempFile::new()?;
        std::fs::write(saved.path(), file(parent))?;
        run(Options {
            jaeger: None,
            file: vec![saved.path().to_owned()],
            since: Duration::ZERO,
            service: None,
            expect: None,
            settle: Duration::ZERO,
            skew: Duration::ZERO,
            json: false,
        })
        .await
    }

    #[tokio::test]
    async fn a_whole_trace_is_fine_and_a_broken_chain_turns_it_red() -> anyhow::Result<()> {
        judged("00000000000000a1").await?;
        let broken = judged("00000000000000ff").await.map_err(|error| error.to_string());
        assert_eq!(broken, Err("1 of 1 traces are not whole".to_owned()));
        Ok(())
    }

    #[test]
    fn times_are_written_with_their_unit() {
        assert_eq!(duration("90s").ok(), Some(Duration::from_secs(90)));
        assert_eq!(duration("15m").ok(), Some(Duration::from_mins(15)));
        assert!(
            ["", "s", "10", "10x", "99999999999999999999s", "9999999999999999999h"]
                .iter()
                .all(|text| duration(text).is_err())
        );
    }
}
