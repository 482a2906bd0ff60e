//! From nothing to five services that are ready, and what to show of it until then.

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

/// Longer than anybody looks at a demo: the patient logs in once.
const TOKEN_LIFETIME: &str = "30d";

/// Lines of cargo's that an error repeats.
const REPEATED: usize = 200;

/// What is done before there is something to see, in this order.
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

/// How far it is.
#[derive(Debug, PartialEq)]
pub(super) enum Progress {
    Begun(Step),
    Cargo(Said),
}

/// What cargo says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// How many of how many crates are compiled, and which ones are at it.
    Gauge {
        done: u64,
        all: u64,
        at: String,
    },
    Line(String),
}

impl Said {
    /// Reads a line such as `    Building [===>    ] 12/345: tokio, serde(build)`; any other is text.
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

/// What is known of the start at a moment.
#[derive(Debug, Default)]
pub(super) struct Starting {
    /// Each with the time of its beginning.
    pub(super) begun: Vec<(Step, Duration)>,
    pub(super) gauge: Option<(u64, u64)>,
    /// What cargo is at.
    pub(super) at: String,
    /// Since the beginning of the first.
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

/// Builds the services, and starts them with all that they need. What is dropped in the middle leaves nothing behind.
pub(super) async fn start(options: &Options, progress: UnboundedSender<Progress>) -> anyhow::Result<Runner> {
    // Whoever does not look any more misses nothing.
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

/// Has cargo draw its bar for us instead of for a terminal.
async fn build(tell: impl Fn(Said)) -> anyhow::Result<()> {
    let mut command = services_build(&[])?;
    command.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", "160");
    command.env("CARGO_TERM_COLOR", "never").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // A group, because cargo's compilers have to end with it.
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

/// Processes that end with this value.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        // Fails only when all of them are gone.
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
