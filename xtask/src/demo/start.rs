//! Builds and starts the services, and reports the progress.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use testkit::postgres::Postgres;
use testkit::scenario::Runner;
use testkit::stack::Service;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::UnboundedSender;

use super::{Options, builder};
use crate::cargo::services_build;

/// Longer than any demo, because the patient logs in only once.
const TOKEN_LIFETIME: &str = "30d";

/// The most lines of cargo's output that an error repeats.
const REPEATED: usize = 200;

/// The steps before the first trace, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Build,
    Postgres,
    Services,
}

impl Step {
    pub(super) const ALL: [Self; 3] = [Self::Build, Self::Postgres, Self::Services];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Build => "build the services (minutes the first time)",
            Self::Postgres => "start Postgres and seed it",
            Self::Services => "start the five services",
        }
    }
}

/// The progress of the start.
#[derive(Debug, PartialEq)]
pub(super) enum Progress {
    Begun(Step),
    Cargo(Said),
}

/// A line of cargo's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// The number of compiled crates, the number of all crates, and those that are being compiled.
    Gauge {
        done: u64,
        all: u64,
        at: String,
    },
    Line(String),
}

impl Said {
    /// Parses a line such as `    Building [===>    ] 12/345: tokio, serde(build)`. Any other line is text.
    fn read(line: &str) -> Self {
        let gauge = || {
            let (_, rest) = line.split_once("] ")?;
            let (count, at) = rest.split_once(": ").unwrap_or((rest, ""));
            let (done, all) = count.split_once('/')?;
            let (done, all) = (done.trim().parse().ok()?, all.trim().parse().ok()?);
            Some(Self::Gauge { done, all, at: at.trim().to_owned() })
        };
        gauge().unwrap_or_else(|| Self::Line(line.trim_end().to_owned()))
    }
}

/// The state of the start.
#[derive(Debug, Default)]
pub(super) struct Starting {
    /// The steps so far, with their start times.
    pub(super) begun: Vec<(Step, Duration)>,
    pub(super) gauge: Option<(u64, u64)>,
    /// The crates that cargo is compiling.
    pub(super) at: String,
    /// The time since the start of the first step.
    pub(super) now: Duration,
}

impl Starting {
    pub(super) fn update(&mut self, progress: Progress) {
        match progress {
            Progress::Begun(step) => self.begun.push((step, self.now)),
            Progress::Cargo(Said::Gauge { done, all, at }) => (self.gauge, self.at) = (Some((done, all)), at),
            Progress::Cargo(Said::Line(line)) => self.at = line,
        }
    }
}

/// Builds and starts the services with everything they need. Dropping the future ends all processes and removes all
/// files.
pub(super) async fn start(options: &Options, progress: UnboundedSender<Progress>) -> anyhow::Result<Runner> {
    // It is no error if nothing receives the progress any more.
    let tell = |now: Progress| drop(progress.send(now));
    if !options.no_build {
        tell(Progress::Begun(Step::Build));
        build(|said| tell(Progress::Cargo(said))).await?;
    }
    tell(Progress::Begun(Step::Postgres));
    let postgres = Postgres::builder().fsync(false).start().await?;
    postgres.cluster().create_template().await?;
    tell(Progress::Begun(Step::Services));
    let stack = builder(options).await?;
    let stack = stack.env(Service::UserSvc, "EPRO_SESSIONS__ACCESS_TOKEN_LIFETIME", TOKEN_LIFETIME);
    Runner::start_on(postgres, stack).await
}

/// Runs cargo with its progress bar as text, and parses it.
async fn build(tell: impl Fn(Said)) -> anyhow::Result<()> {
    let mut command = services_build(&[])?;
    command.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", "160");
    command.env("CARGO_TERM_COLOR", "never").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // A process group, so that cargo's compilers end with it.
    let mut cargo = command.process_group(0).spawn().context("run cargo")?;
    let mut group = Group(cargo.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let mut stderr = cargo.stderr.take().context("the output of cargo is piped")?;
    let (mut text, mut said, mut chunk) = (Vec::new(), Vec::new(), vec![0; 4096]);
    loop {
        let count = stderr.read(&mut chunk).await?;
        text.extend_from_slice(&chunk[..count]);
        while let Some(end) = text.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            let line: Vec<u8> = text.drain(..=end).take(end).collect();
            let line = Said::read(&String::from_utf8_lossy(&line));
            match &line {
                Said::Line(text) if text.trim().is_empty() => continue,
                Said::Line(text) => said.push(text.clone()),
                Said::Gauge { .. } => {}
            }
            tell(line);
        }
        if count == 0 {
            break;
        }
    }
    let status = cargo.wait().await?;
    group.0 = None;
    let last = said.len().saturating_sub(REPEATED);
    ensure!(status.success(), "{}\ncargo ended with {status}", said[last..].join("\n"));
    Ok(())
}

/// A process group that is ended when this is dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        // This fails only when all of them have ended.
        let _ = self.0.map(|leader| kill_process_group(leader, Signal::TERM));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_of_cargo_says_how_far_it_is() {
        let gauge = |done, all, at: &str| Said::Gauge { done, all, at: at.to_owned() };
        for (line, said) in [
            ("    Building [===>    ] 12/345: tokio, serde(build)", gauge(12, 345, "tokio, serde(build)")),
            ("    Building [========] 345/345", gauge(345, 345, "")),
            ("   Compiling tokio v1.48.0", Said::Line("   Compiling tokio v1.48.0".to_owned())),
            ("error[E0308]: mismatched types", Said::Line("error[E0308]: mismatched types".to_owned())),
            ("warning: [lints] x/y: z", Said::Line("warning: [lints] x/y: z".to_owned())),
        ] {
            assert_eq!(Said::read(line), said, "{line}");
        }
    }

    #[test]
    fn steps_begin_one_after_the_other() {
        let mut starting = Starting::default();
        starting.update(Progress::Begun(Step::Build));
        starting.now = Duration::from_secs(3);
        starting.update(Progress::Cargo(Said::Gauge { done: 1, all: 2, at: "tokio".to_owned() }));
        starting.update(Progress::Begun(Step::Postgres));
        assert_eq!(starting.begun, [(Step::Build, Duration::ZERO), (Step::Postgres, Duration::from_secs(3))]);
        assert_eq!((starting.gauge, &*starting.at), (Some((1, 2)), "tokio"));
    }
}
