//! Draws a flame graph of the services' CPU time.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, ensure};
use inferno::collapse::Collapse;
use inferno::collapse::perf::{Folder, Options as FolderOptions};
use inferno::flamegraph::{self, Options};
use tokio::process::Command;

/// Frames narrower than this are left out, in percent of the picture's width.
const NARROW: f64 = 0.4;

/// Draws the output of `perf record`. The threads of a service are merged.
pub(super) async fn draw(recorded: &Path, services: &[(u32, String)], picture: &Path) -> anyhow::Result<()> {
    let mut perf = Command::new("perf");
    // Without this, perf looks up every inlined function, which takes minutes.
    perf.args(["script", "--no-inline", "--fields", "comm,pid,tid,time,event,ip,sym,dso", "--input"]);
    let output = perf.arg(recorded).kill_on_drop(true).output().await.context("run perf")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "perf cannot read {}: {said}", recorded.display());
    let mut options = FolderOptions::default();
    options.include_pid = true;
    let mut folded = Vec::new();
    Folder::from(options).collapse(output.stdout.as_slice(), &mut folded).context("read the stacks")?;
    let folded = String::from_utf8(folded)?;
    let lines: Vec<_> = folded.lines().map(|line| by_service(line, services)).collect();
    let mut options = Options::default();
    "CPU of the five services".clone_into(&mut options.title);
    options.min_width = NARROW;
    options.deterministic = true;
    let file = BufWriter::new(File::create(picture).with_context(|| format!("write {}", picture.display()))?);
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), file).context("draw the flame graph")
}

/// Replaces the thread in a line such as `thread-12;main;poll 3` by the service of that process.
fn by_service(line: &str, services: &[(u32, String)]) -> String {
    let (thread, stack) = line.split_once(';').unwrap_or((line, ""));
    // perf marks the end of a stack with this.
    let stack = stack.strip_prefix("[unknown];").unwrap_or(stack);
    let id = thread.rsplit_once('-').and_then(|(_, id)| id.parse().ok());
    match services.iter().find(|(service, _)| Some(*service) == id) {
        Some((_, name)) => format!("{name};{stack}"),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_a_service_are_one() {
        let services = [(12, "gateway".to_owned()), (13, "data-svc".to_owned())];
        assert_eq!(by_service("telemetry-export-12;[unknown];start;run 3", &services), "gateway;start;run 3");
        assert_eq!(by_service("data-svc-13;main 1", &services), "data-svc;main 1");
        assert_eq!(by_service("sh-14;main 1", &services), "sh-14;main 1");
    }
}
