//! `docs/adopt.md`: the project it prints, made of its own blocks, built, run and asked.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;
use testkit::client::plain_http;
use testkit::markdown::blocks;
use testkit::otlp::Receiver;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::toolchain::{BUILD, cargo, folder, succeed, target, workspace};

const PAGE: &str = include_str!("../../../docs/adopt.md");

/// Longer than anything but a build should take.
const DEADLINE: Duration = Duration::from_secs(20);

/// The text of the block that is called so.
fn block(name: &str) -> anyhow::Result<String> {
    let mut blocks = blocks(PAGE).into_iter().filter(|block| block.language.split(' ').nth(1) == Some(name));
    Ok(blocks.next().with_context(|| format!("no block is called {name}"))?.text)
}

/// The project of the page, built.
struct Project {
    folder: PathBuf,
    /// Programs and tests by the names of their targets.
    programs: Vec<(String, PathBuf)>,
}

impl Project {
    /// Made once for all tests.
    async fn built() -> anyhow::Result<&'static Self> {
        static PROJECT: OnceCell<Project> = OnceCell::const_new();
        PROJECT.get_or_try_init(Self::make).await
    }

    async fn make() -> anyhow::Result<Self> {
        let folder = folder("docs-adopt");
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(folder.join("src/bin"))?;
        for file in ["Cargo.toml", "clippy.toml", "config.yaml", "src/main.rs", "src/tests.rs", "src/bin/sweeper.rs"] {
            std::fs::write(folder.join(file), block(file)?)?;
        }
        std::fs::copy(workspace().join("Cargo.lock"), folder.join("Cargo.lock"))?;
        let package = ["package", "-p", "telemetry", "--no-verify"];
        ensure!(PAGE.contains(&format!("cargo {}", package.join(" "))), "the page packs it in another way");
        succeed(cargo(&workspace()).args(package).args(["--allow-dirty", "--quiet"])).await?;
        let name = format!("telemetry-{}", env!("CARGO_PKG_VERSION"));
        let archive = target().join(format!("package/{name}.crate"));
        succeed(Command::new("tar").arg("-xmf").arg(archive).arg("-C").arg(&folder)).await?;
        std::fs::rename(folder.join(&name), folder.join("telemetry"))?;
        let mut build = cargo(&folder);
        let output = succeed(build.args(["build", "--bins", "--tests", "--message-format", "json"])).await?;
        Ok(Self { programs: programs(&output.stdout)?, folder })
    }

    fn program(&self, name: &str) -> anyhow::Result<Command> {
        let program = self.programs.iter().find(|(target, _)| target == name);
        let (_, path) = program.with_context(|| format!("no {name} in {:?}", self.programs))?;
        let mut command = Command::new(path);
        command.current_dir(&self.folder).env_remove("RUST_LOG").stdin(Stdio::null()).kill_on_drop(true);
        Ok(command)
    }
}

/// What cargo has made, by the names of their targets; that of a test begins with `test `.
fn programs(messages: &[u8]) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut programs = Vec::new();
    for line in String::from_utf8_lossy(messages).lines() {
        let message: Value = serde_json::from_str(line)?;
        let name = message["target"]["name"].as_str().unwrap_or_default();
        let kind = if message["profile"]["test"] == true { "test " } else { "" };
        if let Some(path) = message["executable"].as_str() {
            programs.push((format!("{kind}{name}"), PathBuf::from(path)));
        }
    }
    Ok(programs)
}

/// The shop as a process.
struct Shop {
    process: Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    address: String,
}

impl Shop {
    async fn start(receiver: &Receiver) -> anyhow::Result<Self> {
        let mut command = Project::built().await?.program("shop")?;
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()).env("SHOP__LISTEN", "127.0.0.1:0");
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(process.stdout.take().context("no standard output")?).lines();
        let mut shop = Self { process, lines, address: String::new() };
        let line = shop.line("listening").await?;
        line["address"].as_str().context("no address")?.clone_into(&mut shop.address);
        Ok(shop)
    }

    /// The next line with this message.
    async fn line(&mut self, message: &str) -> anyhow::Result<Value> {
        let found = async {
            while let Some(line) = self.lines.next_line().await? {
                let line: Value = serde_json::from_str(&line)?;
                if line["message"] == message {
                    return Ok(line);
                }
            }
            anyhow::bail!("it has ended without a line {message:?}")
        };
        timeout(DEADLINE, found).await.with_context(|| format!("no line {message:?}"))?
    }

    /// Orders tea; the id of the trace that the answer names.
    #[expect(clippy::disallowed_methods, reason = "the other side of the test")]
    async fn order(&self) -> anyhow::Result<String> {
        let request = plain_http().post(format!("http://{}/orders", self.address)).json("tea");
        let answer = timeout(DEADLINE, request.send()).await??.error_for_status()?;
        let traceresponse = answer.headers()["traceresponse"].to_str()?;
        Ok(traceresponse.split('-').nth(1).unwrap_or_default().to_owned())
    }

    async fn terminate(mut self) -> anyhow::Result<()> {
        let process = self.process.id().context("it has ended")?;
        succeed(Command::new("kill").args(["-TERM", &process.to_string()])).await?;
        let status = timeout(DEADLINE, self.process.wait()).await??;
        ensure!(status.success(), "{status}");
        Ok(())
    }
}

#[tokio::test]
async fn a_request_to_the_project_makes_the_trace_that_the_page_prints() -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    let mut shop = Shop::start(&receiver).await?;
    let trace_id = shop.order().await?;
    assert_eq!(shop.line("to be packed").await?["trace_id"], *trace_id);
    shop.terminate().await?;
    let trace = receiver.wait_for(&trace_id, DEADLINE, |trace| trace.spans.len() == 3).await?;
    let trees: Vec<String> = trace.shape().iter().map(|root| root.to_string().trim_end().to_owned() + "\n").collect();
    assert_eq!(trees.concat(), block("tree")?);
    Ok(())
}

#[tokio::test]
async fn the_projects_own_test_passes() -> anyhow::Result<()> {
    let output = succeed(&mut Project::built().await?.program("test shop")?).await?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("test result: ok. 1 passed"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_program_that_keeps_its_own_subscriber_makes_whole_traces() -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    let mut sweeper = Project::built().await?.program("sweeper")?;
    succeed(sweeper.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())).await?;
    let traces = receiver.traces();
    ensure!(traces.len() == 1, "{traces:#?}");
    let sweep = traces[0].roots()[0];
    assert_eq!((sweep.service.as_str(), sweep.name.as_str()), ("sweeper", "sweep"));
    assert_eq!(traces[0].children(&sweep.span_id)[0].name, "count");
    Ok(())
}

#[tokio::test]
async fn a_bare_spawn_in_the_project_is_refused_as_the_page_says() -> anyhow::Result<()> {
    let folder = &Project::built().await?.folder;
    let file = folder.join("src/main.rs");
    let right = std::fs::read_to_string(&file)?;
    let broken = right.replace("Task::internal(\"tell the warehouse\").spawn(", "tokio::spawn(");
    ensure!(broken != right, "nothing was replaced");
    std::fs::write(&file, broken)?;
    // What `cargo clippy` is, but for `build` instead of `check`, which would read all dependencies again.
    let mut clippy = cargo(folder);
    clippy.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver").args(["build", "--bin", "shop", "--color", "never"]);
    let output = timeout(BUILD, clippy.output()).await??;
    std::fs::write(&file, right)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains(&block("clippy")?), "{said}");
    Ok(())
}
