//! `docs/from-go.md`: one file for each group of its sections, with the pieces that the page shows and the tests of what it
//! says of them.

mod baggage;
mod configuration;
mod database;
mod grpc;
mod http;
mod messages;
mod process;
mod sampling;
mod tasks;
mod testing;
mod vendor;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Router;
use serde::Deserialize;
use telemetry::{Config, Recorder, Telemetry};
use testkit::client::plain_http;
use testkit::markdown::blocks;
use tokio::net::TcpListener;

use crate::page::pieces;

const PAGE: &str = include_str!("../../../../docs/from-go.md");

/// Longer than anything here should take.
const DEADLINE: Duration = Duration::from_secs(20);

/// A telemetry whose spans stay here.
fn recorded() -> anyhow::Result<(Telemetry, Recorder)> {
    Ok(Telemetry::recorded(&Config::new("shop"))?)
}

/// A settings file of the page, which is the only one with this in it.
fn settings(part: &str) -> anyhow::Result<configuration::Settings> {
    let blocks = blocks(PAGE);
    let mut found = blocks.iter().filter(|block| is_ours(&block.text) && block.text.contains(part));
    let block = found.next().with_context(|| format!("no block has {part}"))?;
    ensure!(found.next().is_none(), "more than one block has {part}");
    let file = tempfile::Builder::new().suffix(".yaml").tempfile()?;
    std::fs::write(file.path(), &block.text)?;
    Ok(configuration::read(file.path())?)
}

/// Whether a block of YAML is a configuration of this project's, and not of go-zero's or of the collector's.
fn is_ours(text: &str) -> bool {
    text.starts_with("telemetry:\n")
}

/// Serves what is built within a telemetry.
#[expect(clippy::disallowed_methods, reason = "a server of the test's, in no trace")]
async fn serve(telemetry: &Telemetry, build: impl FnOnce() -> Router) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = telemetry.scope(async { build() }).await;
    tokio::spawn(async { axum::serve(listener, router).await });
    Ok(address)
}

/// A request of a stranger's, who has no telemetry of ours.
#[expect(clippy::disallowed_methods, reason = "the other side of the test")]
async fn ask(url: String, headers: &[(&str, &str)]) -> anyhow::Result<reqwest::Response> {
    let request = headers.iter().fold(plain_http().get(url), |request, (name, value)| request.header(*name, *value));
    Ok(request.send().await?)
}

#[test]
fn the_page_shows_the_pieces_that_are_run_here_and_no_others() -> anyhow::Result<()> {
    let mut run = BTreeSet::new();
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/from_go"))? {
        run.extend(pieces(&std::fs::read_to_string(file?.path())?));
    }
    let shown: BTreeSet<String> =
        blocks(PAGE).into_iter().filter(|block| block.language == "rust").map(|block| block.text).collect();
    let unknown: Vec<&String> = shown.difference(&run).collect();
    let not_shown: Vec<&String> = run.difference(&shown).collect();
    ensure!(unknown.is_empty(), "shown and not run:\n{unknown:#?}");
    ensure!(not_shown.is_empty(), "run and not shown:\n{not_shown:#?}");
    Ok(())
}

#[test]
fn every_configuration_of_the_page_is_read_by_the_code_that_it_shows() -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Any {
        telemetry: Config,
    }
    let ours: Vec<_> = blocks(PAGE).into_iter().filter(|block| is_ours(&block.text)).collect();
    ensure!(ours.len() > 5, "{} blocks", ours.len());
    for block in ours {
        ensure!(block.language == "yaml", "{block:?}");
        let source = config::File::from_str(&block.text, config::FileFormat::Yaml);
        let read = config::Config::builder().add_source(source).build()?.try_deserialize::<Any>();
        ensure!(read.with_context(|| block.text.clone())?.telemetry.name == "shop", "{block:?}");
    }
    Ok(())
}

#[test]
fn what_the_page_says_of_a_forbidden_call_is_what_clippy_says() -> anyhow::Result<()> {
    let rules = include_str!("../../../../clippy.toml");
    let block = blocks(PAGE).into_iter().find(|block| block.language == "text" && block.text.starts_with("error: "));
    let block = block.context("no block begins with an error")?;
    let (message, reason) = block.text.split_once("= note: ").context("no reason")?;
    let path = message.split('`').nth(1).context("no path")?;
    ensure!(rules.contains(&format!("path = \"{path}\", reason = \"{}\"", reason.trim())), "{block:?}");
    Ok(())
}
