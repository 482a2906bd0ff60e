//! Kills leftover processes when this one is killed.

use std::process::{Child, Command, Stdio};

/// Waits for a line of input. When the input ends without one, the owner has died, and the script kills the process.
/// The process's children may still write to the folder for a moment, so removing it takes several attempts.
const SCRIPT: &str = r#"
read -r released && exit
kill -KILL "$1" 2>/dev/null
while kill -0 "$1" 2>/dev/null; do sleep 0.05; done
[ -n "$2" ] || exit
for attempt in 1 2 3 4 5; do rm -rf -- "$2" && exit; sleep 0.1; done
"#;

/// A shell that kills a process and removes its folder if this process dies without doing so.
#[derive(Debug)]
pub(crate) struct Reaper {
    shell: Option<Child>,
}

impl Reaper {
    /// Watches over `pid`. If no shell can be started, the process is not watched; that is no error.
    pub(crate) fn watch(pid: u32, folder: &str) -> Self {
        use std::os::unix::process::CommandExt;
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "reaper", &pid.to_string(), folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A process group of its own, so that Ctrl-C at the terminal does not end the shell too early.
            .process_group(0)
            .spawn();
        Self { shell: shell.ok() }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        use std::io::Write;
        let Some(mut shell) = self.shell.take() else { return };
        if let Some(mut input) = shell.stdin.take() {
            // This fails only when the shell has ended already.
            let _ = input.write_all(b"released\n");
        }
        let _ = shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> anyhow::Result<(Child, tempfile::TempDir)> {
        Ok((Command::new("sleep").arg("60").spawn()?, tempfile::tempdir()?))
    }

    #[test]
    fn the_end_of_the_owner_is_the_end_of_the_process_and_its_folder() -> anyhow::Result<()> {
        let (mut process, folder) = sleeper()?;
        let mut reaper = Reaper::watch(process.id(), &folder.path().to_string_lossy());
        let mut shell = reaper.shell.take().unwrap();
        // The operating system closes the pipe when its owner is killed.
        drop(shell.stdin.take());
        let (ended, finished) = (process.wait(), shell.wait());
        assert!(!ended?.success() && finished.is_ok());
        assert!(!folder.path().exists());
        Ok(())
    }

    #[test]
    fn a_released_process_is_left_alone() -> anyhow::Result<()> {
        let (mut process, folder) = sleeper()?;
        drop(Reaper::watch(process.id(), &folder.path().to_string_lossy()));
        assert!(process.try_wait()?.is_none() && folder.path().exists());
        process.kill()?;
        process.wait()?;
        Ok(())
    }
}
