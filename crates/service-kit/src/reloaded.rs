//! Values that are made from files, and made again when the files change.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// A value that follows its files: [`Reloaded::get`] returns what they contain now. If changed files cannot be used,
/// the value stays as it was, and the error is logged.
pub(crate) struct Reloaded<T> {
    files: Vec<PathBuf>,
    make: Box<dyn Fn() -> anyhow::Result<T> + Send + Sync>,
    current: Mutex<Current<T>>,
}

struct Current<T> {
    value: Arc<T>,
    /// The states of the files when the value was made.
    states: Vec<State>,
    /// The states of the files that could not be used. A warning is logged once for them.
    useless: Vec<State>,
}

/// When a file was last written, and its length; `None` if it does not exist.
type State = Option<(SystemTime, u64)>;

impl<T> Reloaded<T> {
    /// # Errors
    /// When it cannot be made now.
    pub(crate) fn new(
        files: Vec<PathBuf>,
        make: impl Fn() -> anyhow::Result<T> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        // Before the files are read, so that a write in between is noticed the next time.
        let states = states(&files);
        let value = Arc::new(make()?);
        let current = Mutex::new(Current { value, states, useless: Vec::new() });
        Ok(Self { files, make: Box::new(make), current })
    }

    /// The value of the present files, or the last one that could be made.
    pub(crate) fn get(&self) -> Arc<T> {
        let states = states(&self.files);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.states != states {
            match (self.make)() {
                Ok(value) => {
                    *current = Current { value: Arc::new(value), states, useless: Vec::new() };
                    telemetry::info!("changed files are in use");
                }
                // They may be half written, or not readable yet. They are tried again the next time.
                Err(error) if current.useless != states => {
                    telemetry::warn!(error = format!("{error:#}"), "changed files cannot be used");
                    current.useless = states;
                }
                Err(_) => {}
            }
        }
        Arc::clone(&current.value)
    }
}

impl<T> fmt::Debug for Reloaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloaded").field("files", &self.files).finish_non_exhaustive()
    }
}

fn states(files: &[PathBuf]) -> Vec<State> {
    let state = |file: &PathBuf| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(state).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use anyhow::ensure;

    use super::*;

    #[test]
    fn it_follows_its_file_and_outlives_one_that_cannot_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let read = {
            let file = file.clone();
            move || {
                let text = std::fs::read_to_string(&file)?;
                ensure!(!text.is_empty());
                Ok(text)
            }
        };
        assert!(Reloaded::new(vec![file.clone()], read.clone()).is_err());
        std::fs::write(&file, "one").unwrap();
        let reloaded = Reloaded::new(vec![file.clone()], read).unwrap();
        // The lengths differ, because the clock of a file system may be coarse.
        for (written, value) in [("three", "three"), ("", "three"), ("four", "four")] {
            std::fs::write(&file, written).unwrap();
            assert_eq!(*reloaded.get(), value);
        }
        std::fs::remove_file(&file).unwrap();
        assert_eq!(*reloaded.get(), "four");
    }

    #[test]
    fn a_file_that_could_not_be_read_is_tried_again_without_another_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "old").unwrap();
        let allowed = Arc::new(AtomicBool::new(true));
        let read = {
            let (file, allowed) = (file.clone(), Arc::clone(&allowed));
            move || {
                ensure!(allowed.load(Ordering::Relaxed), "permission denied");
                Ok(std::fs::read_to_string(&file)?)
            }
        };
        let reloaded = Reloaded::new(vec![file.clone()], read).unwrap();
        allowed.store(false, Ordering::Relaxed);
        std::fs::write(&file, "newer").unwrap();
        assert_eq!(*reloaded.get(), "old");
        allowed.store(true, Ordering::Relaxed);
        assert_eq!(*reloaded.get(), "newer");
    }
}
