//! Rules for single routes. They are configured, or read from a file that is followed while the process runs.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use config::FileFormat;
use serde::Deserialize;

use crate::config::{Rule, Share};

/// How often the file is checked.
const INTERVAL: Duration = Duration::from_secs(1);

/// The longest file that is read, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// The rules in force, shared by all clones.
#[derive(Debug, Clone)]
pub(super) struct Rules(Arc<RwLock<Arc<[Rule]>>>);

/// What a file holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    rules: Vec<Rule>,
}

impl Rules {
    pub(super) fn new(rules: &[Rule]) -> Self {
        Self(Arc::new(RwLock::new(rules.into())))
    }

    fn current(&self) -> Arc<[Rule]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The share of roots with this name that is kept, if a rule says so.
    pub(super) fn share(&self, name: &str) -> Option<Share> {
        self.current().iter().filter(|rule| rule.matches(name)).find_map(|rule| rule.keep)
    }

    /// How long a request with this name may take.
    pub(super) fn slow(&self, name: &str) -> Option<Duration> {
        self.current().iter().filter(|rule| rule.matches(name)).find_map(|rule| rule.slow)
    }

    /// Puts the rules of a file in force whenever it changes, without end. An unusable file is logged once and changes
    /// nothing.
    pub(super) async fn follow(self, file: PathBuf) {
        let (mut used, mut useless) = (None, None);
        loop {
            // Taken before the file is read, so that a write in between is seen the next time.
            let state = state(&file);
            if used.as_ref() != Some(&state) {
                match read(&file) {
                    Ok(rules) => {
                        *self.0.write().unwrap_or_else(PoisonError::into_inner) = rules.into();
                        tracing::info!(file = %file.display(), "sampling rules are in use");
                        (used, useless) = (Some(state), None);
                    }
                    // The file may be half written: it is read again the next time.
                    Err(error) if useless.as_ref() != Some(&state) => {
                        tracing::warn!(error, file = %file.display(), "sampling rules cannot be used, the last ones hold");
                        useless = Some(state);
                    }
                    Err(_) => {}
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

impl Rule {
    fn matches(&self, name: &str) -> bool {
        match self.span.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => self.span == name,
        }
    }
}

/// When a file was last written and how long it is; `None` if there is no file.
fn state(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read(file: &Path) -> Result<Vec<Rule>, String> {
    let text = text(file).map_err(|error| error.to_string())?;
    let source = config::File::from_str(&text, FileFormat::Yaml);
    let content = config::Config::builder().add_source(source).build().and_then(config::Config::try_deserialize);
    content.map(|content: Content| content.rules).map_err(|error| error.to_string())
}

fn text(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(file)?.take(LONGEST + 1).read_to_string(&mut text)?;
    if read as u64 > LONGEST {
        return Err(io::Error::other(format!("it is longer than {LONGEST} bytes")));
    }
    Ok(text)
}
