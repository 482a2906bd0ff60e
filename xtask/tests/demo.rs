//! `cargo xtask demo` on a pseudo-terminal: sends keys, checks screens, and checks that no process or file is left.

#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "a test: its calls belong to no trace")]

use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tempfile::TempDir;
use testkit::poll;
use vt100::Parser;

const ROWS: u16 = 40;
const COLUMNS: u16 = 170;

/// The most time to wait for a screen.
const DEADLINE: Duration = Duration::from_mins(1);

/// A demo on a pseudo-terminal.
struct Demo {
    child: Child,
    keyboard: File,
    /// The controlling side of the pseudo-terminal.
    terminal: File,
    screen: Arc<Mutex<Parser>>,
    /// The folder of all its files. Its processes have the folder's name in their environment.
    folder: TempDir,
}

impl Demo {
    fn start() -> anyhow::Result<Self> {
        Self::start_with(None)
    }

    /// Starts it with the services of another folder.
    fn start_with(binaries: Option<&str>) -> anyhow::Result<Self> {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&keyboard)?;
        unlockpt(&keyboard)?;
        let name = ptsname(&keyboard, Vec::new())?;
        let terminal = File::options().read(true).write(true).open(std::ffi::OsStr::from_bytes(name.as_bytes()))?;
        tcsetwinsize(&keyboard, Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 })?;
        let folder = tempfile::tempdir()?;
        // Postgres runs as another user if this one is root, so the folder must be readable.
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.envs(binaries.map(|folder| ("EPRO_BIN_DIR", folder)));
        let child = command
            .args(["demo", "--no-build"])
            .env("TMPDIR", folder.path())
            .env("TERM", "xterm-256color")
            .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
            .stdin(terminal.try_clone()?)
            .stdout(terminal.try_clone()?)
            .stderr(terminal.try_clone()?)
            .spawn()?;
        let size = |size: u16| size.try_into().context("a terminal has rows and columns");
        let screen = Arc::new(Mutex::new(Parser::new(size(ROWS)?, size(COLUMNS)?, 0)));
        let (mut output, shown) = (File::from(keyboard.try_clone()?), Arc::clone(&screen));
        // The thread ends with the terminal.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..count]);
            }
        });
        Ok(Self { child, keyboard: keyboard.into(), terminal, screen, folder })
    }

    fn press(&mut self, keys: &str) -> anyhow::Result<()> {
        Ok(self.keyboard.write_all(keys.as_bytes())?)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("it has an id")?;
        Ok(kill_process(pid, signal)?)
    }

    fn text(&self) -> String {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen().contents()
    }

    /// Waits for a line that contains all of these words.
    async fn wait_for(&self, words: &[&str]) -> anyhow::Result<()> {
        let has_come = |text: &String| text.lines().any(|line| words.iter().all(|word| line.contains(word)));
        let text = poll::until(DEADLINE, async || Ok(self.text()), has_come).await?;
        ensure!(has_come(&text), "no line with {words:?} in\n{text}");
        Ok(())
    }

    /// Chooses a failure from the menu.
    async fn make_fail(&mut self, name: &str) -> anyhow::Result<()> {
        self.press("f")?;
        self.wait_for(&["make a report fail"]).await?;
        let chosen = |text: &str| text.lines().find(|line| line.contains("│> ")).unwrap_or_default().to_owned();
        loop {
            let now = chosen(&self.text());
            if now.contains(name) {
                return self.press("\r");
            }
            self.press("j")?;
            let next = poll::until(DEADLINE, async || Ok(chosen(&self.text())), |next| *next != now).await?;
            ensure!(next != now, "no failure is called {name}");
        }
    }

    /// Waits for its exit, after a last line with `last`. Checks that the terminal is restored and that no process or
    /// file is left.
    async fn end(mut self, last: &str) -> anyhow::Result<ExitStatus> {
        let ended = poll::until(DEADLINE, async || Ok(self.child.try_wait()?), Option::is_some).await?;
        let status = ended.with_context(|| format!("it does not end:\n{}", self.text()))?;
        let modes = tcgetattr(&self.terminal)?.local_modes;
        ensure!(modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG), "{modes:?}");
        self.wait_for(&[last]).await?;
        {
            let parser = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
            ensure!(!parser.screen().alternate_screen() && !parser.screen().hide_cursor(), "the screen is still taken");
        }
        let left = poll::until(DEADLINE, async || self.left(), Vec::is_empty).await?;
        ensure!(left.is_empty(), "left behind: {left:?}");
        Ok(status)
    }

    /// Its remaining files, and processes with the folder's name in their environment or command.
    fn left(&self) -> anyhow::Result<Vec<String>> {
        let name = self.folder.path().to_string_lossy().into_owned();
        let files = std::fs::read_dir(self.folder.path())?;
        let mut left = files.map(|file| Ok(file?.path().display().to_string())).collect::<anyhow::Result<Vec<_>>>()?;
        for process in std::fs::read_dir("/proc")? {
            let process = process?.path();
            // Reading fails for processes that have ended or belong to others.
            let read = |file| std::fs::read(process.join(file)).unwrap_or_default();
            let (environment, command) = (read("environ"), read("cmdline"));
            if [&environment, &command].into_iter().any(|text| String::from_utf8_lossy(text).contains(&name)) {
                left.push(String::from_utf8_lossy(&command).replace('\0', " "));
            }
        }
        Ok(left)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // This fails only when it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn reports_are_sent_made_to_fail_opened_and_explained_by_keys() -> anyhow::Result<()> {
    let mut demo = Demo::start()?;
    demo.wait_for(&["POST /v1/sessions 200", "✓ healthy"]).await?;
    demo.press("s")?;
    demo.wait_for(&["POST /v1/reports 201", "✓ healthy", "report"]).await?;
    demo.make_fail("panic-in-epro-svc").await?;
    demo.wait_for(&["POST /v1/reports 500", "✗ bug", "panic-in-epro-svc"]).await?;
    demo.press("\r")?;
    demo.wait_for(&["epro-svc", "SubmitReport", "SERVER", "ERROR", "<== to blame: epro-svc"]).await?;
    demo.press("e")?;
    demo.wait_for(&["what we did epro-svc panics"]).await?;
    demo.press("l")?;
    demo.wait_for(&["ERROR", "epro-svc", "panic"]).await?;
    demo.press("q")?;
    let status = demo.end("stopped").await?;
    assert!(status.success(), "{status}");
    Ok(())
}

#[tokio::test]
async fn an_end_in_the_middle_of_a_failure_leaves_nothing_behind_either() -> anyhow::Result<()> {
    let mut demo = Demo::start()?;
    demo.wait_for(&["POST /v1/sessions 200"]).await?;
    demo.make_fail("killed-midway").await?;
    demo.wait_for(&["killed-midway: going on"]).await?;
    demo.signal(Signal::TERM)?;
    let status = demo.end("stopped").await?;
    assert!(status.success(), "{status}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_started_is_told_below_what_was_on_the_terminal() -> anyhow::Result<()> {
    let demo = Demo::start_with(Some("/nowhere"))?;
    let status = demo.end("/nowhere/").await?;
    assert_eq!(status.code(), Some(1));
    Ok(())
}

#[tokio::test]
async fn ctrl_c_ends_it_before_it_has_begun() -> anyhow::Result<()> {
    let mut demo = Demo::start()?;
    demo.wait_for(&["start Postgres and seed it"]).await?;
    demo.press("\u{3}")?;
    let status = demo.end("stopped").await?;
    assert!(status.success(), "{status}");
    Ok(())
}
