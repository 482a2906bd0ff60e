//! The file format of scenarios.

use std::path::{Path, PathBuf};

use anyhow::Context;
use config::{Config, File, FileFormat};
use schemars::JsonSchema;
use serde::Deserialize;

use super::fault::{Fault, Network};

/// A scenario: what fails, what is sent, and what the trace must show.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's name without its extension.
    #[serde(skip)]
    pub name: String,
    /// A short title.
    pub title: String,
    /// What the patient sees.
    pub patient: String,
    /// The question of a person who has to explain the failure.
    pub question: String,
    /// What the trace answers.
    pub answer: String,
    /// What fails, all of it for the same report.
    pub faults: Vec<Fault>,
    /// What the phone sends: by default, one report.
    #[serde(default)]
    pub send: Submission,
    pub expect: Expect,
}

/// What the phone sends.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Submission {
    /// How many times at most the phone sends the report. It stops when the report is accepted.
    pub tries: u8,
    /// Whether the phone sets the sampled flag of its trace.
    pub sampled: bool,
}

impl Default for Submission {
    fn default() -> Self {
        Self { tries: 1, sampled: true }
    }
}

/// The expected results.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The status of the phone's last answer. Absent if there is none.
    pub status: Option<u16>,
    /// The cause that `cargo xtask explain` names, such as `slow_database`.
    pub cause: String,
    /// The span that the explanation blames. Absent if it blames none.
    pub guilty: Option<Guilty>,
    /// Spans that the trace must have.
    #[serde(default)]
    pub spans: Vec<Expected>,
    /// Lines that the logs must have with the trace's id.
    #[serde(default)]
    pub logs: Vec<Line>,
}

/// A span that is to blame.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guilty {
    pub service: String,
    pub span: String,
}

/// A span that the trace must have.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub service: String,
    pub span: String,
    /// Whether the span must have failed or must not have. Absent if either is right.
    pub failed: Option<bool>,
    /// At least how many such spans.
    #[serde(default = "one")]
    pub times: usize,
}

fn one() -> usize {
    1
}

/// A log line.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub service: String,
    /// The complete message.
    pub message: String,
}

impl Scenario {
    /// The folder with the project's scenarios.
    pub fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
    }

    /// All scenarios of a folder, sorted by name.
    ///
    /// # Errors
    /// When a file cannot be read or is not a valid scenario. The message names the file.
    pub fn all(folder: &Path) -> anyhow::Result<Vec<Self>> {
        let files = std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
        let mut paths = files.map(|file| Ok(file?.path())).collect::<std::io::Result<Vec<_>>>()?;
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// A number below 1000 that is unique among the project's scenarios. It depends only on the name, so new scenarios
    /// do not change it.
    pub fn number(&self) -> u16 {
        self.name.bytes().fold(0, |number, byte| (number * 31 + u16::from(byte)) % 1000)
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let file = File::from(path).format(FileFormat::Yaml);
        let read = Config::builder().add_source(file).build().and_then(Config::try_deserialize::<Self>);
        let scenario = read.with_context(|| path.display().to_string())?;
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { name, ..scenario })
    }

    /// The value of the report's baggage member, if it has one.
    pub(super) fn baggage(&self) -> Option<&str> {
        self.faults.iter().find_map(|fault| if let Fault::Baggage(value) = fault { Some(&**value) } else { None })
    }

    pub(super) fn network(&self) -> Option<Network> {
        self.faults.iter().find_map(|fault| if let Fault::Network(network) = fault { Some(*network) } else { None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_scenario_that_says_what_it_is_about() -> anyhow::Result<()> {
        let scenarios = Scenario::all(&Scenario::folder())?;
        assert!(scenarios.len() >= 16, "{}", scenarios.len());
        let numbers: std::collections::BTreeSet<u16> = scenarios.iter().map(Scenario::number).collect();
        assert_eq!(numbers.len(), scenarios.len(), "two have the same number: another name for one");
        for scenario in scenarios {
            for text in [&scenario.title, &scenario.patient, &scenario.question, &scenario.answer] {
                assert!(!text.trim().is_empty(), "{}", scenario.name);
            }
            assert!(!scenario.faults.is_empty(), "{}", scenario.name);
        }
        Ok(())
    }

    #[test]
    fn the_schema_beside_the_files_is_that_of_their_types() -> anyhow::Result<()> {
        let file = Scenario::folder().join("schema.json");
        let current = format!("{:#}\n", schemars::schema_for!(Scenario).to_value());
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(&file, &current)?;
        }
        assert_eq!(std::fs::read_to_string(&file)?, current, "UPDATE_SCHEMA=1 writes it");
        Ok(())
    }

    #[test]
    fn a_key_that_is_none_is_refused() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("x.yaml"), "titel: A slip of the pen\n")?;
        let error = format!("{:#}", Scenario::all(folder.path()).unwrap_err());
        assert!(error.contains("x.yaml") && error.contains("titel"), "{error}");
        Ok(())
    }
}
