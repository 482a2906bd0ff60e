//! Settings: what a service reads, its `config.yaml` with all of its defaults, `docs/settings.md` made from that, and whatever
//! names a setting's variable say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use regex_lite::Regex;

const SERVICES: [&str; 5] = ["gateway", "user-svc", "epro-svc", "data-svc", "notify-svc"];

const PAGE: &str = "docs/settings.md";

/// What the page says before its tables.
const HEAD: &str = "# Settings

Every service has its defaults in its `config.yaml`, from which this page is made. `--config FILE` lays a file over them, and a
variable lays itself over both: `EPRO_`, and the setting in capitals with `__` for each dot, as `EPRO_DATABASE__URL` for
`database.url`. A setting that no service has is refused. The block `telemetry` has [a table of its
own](../crates/telemetry/src/config/table.md), with the standard `OTEL_*` variables.
";

/// Begins a variable that a service reads.
const PREFIX: &str = "EPRO_";

/// Begin the variables that tests and tools read, and none of the services.
const OF_TOOLS: [&str; 3] = ["EPRO_TEST_", "EPRO_FUZZ_", "EPRO_BIN_DIR"];

/// Names variables that are none, to be told so.
const OF_NOBODY: &str = "crates/service-kit/src/config/variables.rs";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A setting, or a block of settings, as a `config.yaml` has it.
#[derive(Clone, PartialEq, Eq)]
struct Setting {
    path: String,
    /// None for a block.
    default: Option<String>,
    meaning: String,
}

/// The settings of a service, in their order. Those that are commented out are among them: they have no default.
fn settings(service: &str) -> anyhow::Result<Vec<Setting>> {
    let text = std::fs::read_to_string(root().join(service).join("config.yaml"))?;
    let commented_out = Regex::new(r"^# ( *[a-z_]+:( .*)?)$")?;
    let (mut settings, mut blocks, mut meaning) = (Vec::new(), Vec::<(usize, String)>::new(), Vec::new());
    for line in text.lines() {
        let (line, is_out) = match commented_out.captures(line) {
            Some(captures) => (captures[1].to_owned(), true),
            None => (line.to_owned(), false),
        };
        if let Some(words) = line.trim_start().strip_prefix("# ") {
            meaning.push(words.to_owned());
            continue;
        }
        let (key, value) = line.split_once(':').with_context(|| format!("{service}: {line}"))?;
        let indentation = key.len() - key.trim_start().len();
        blocks.retain(|(of_block, _)| *of_block < indentation);
        blocks.push((indentation, key.trim().to_owned()));
        let path = blocks.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>().join(".");
        let value = value.trim();
        let default = match (value, is_out) {
            ("", _) => None,
            (_, true) => Some("none".to_owned()),
            ("\"\"", _) => Some("empty".to_owned()),
            (value, _) => Some(format!("`{}`", value.trim_matches('"'))),
        };
        settings.push(Setting { path, default, meaning: std::mem::take(&mut meaning).join(" ") });
    }
    ensure!(meaning.is_empty(), "{service}: {meaning:?} is said of nothing");
    Ok(settings)
}

/// The keys that stand in each block, the outermost by the name of `""`.
fn keys_of_blocks(settings: &[Setting]) -> BTreeMap<String, BTreeSet<String>> {
    let mut keys = BTreeMap::<String, BTreeSet<String>>::new();
    for setting in settings {
        let (block, key) = setting.path.rsplit_once('.').unwrap_or(("", &setting.path));
        keys.entry(block.to_owned()).or_default().insert(key.to_owned());
    }
    keys
}

#[test]
fn a_config_yaml_has_all_that_its_service_reads() -> anyhow::Result<()> {
    for service in SERVICES {
        for (block, mut keys) in keys_of_blocks(&settings(service)?) {
            if block.split('.').next() == Some("telemetry") {
                // The crate's own table has the rest.
                continue;
            }
            if block == "delivery" {
                // Only for tests: with it, chance is the same in each run.
                keys.insert("seed".to_owned());
            }
            assert_eq!(read_by(service, &block)?, keys, "left is what {service} reads in its block {block:?}");
        }
    }
    Ok(())
}

/// What a service reads in a block: it says so when it refuses a key that it does not know.
fn read_by(service: &str, block: &str) -> anyhow::Result<BTreeSet<String>> {
    let blocks = block.split('.').filter(|block| !block.is_empty());
    let yaml = blocks.rev().fold("{no_such_key: 1}".to_owned(), |within, block| format!("{{{block}: {within}}}"));
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(&file, &yaml)?;
    let tests = std::env::current_exe()?;
    let program = tests.ancestors().nth(2).context("the folder of the programs")?.join(service);
    let output = Command::new(&program).arg("healthcheck").arg("--config").arg(file.path()).env_clear().output();
    let output = output.with_context(|| format!("run {}: cargo build --workspace", program.display()))?;
    let said = String::from_utf8(output.stderr)?;
    let expected =
        said.split_once("unknown field `no_such_key`, expected ").with_context(|| format!("{yaml}: {said}"))?.1;
    let expected = expected.split(" for key").next().unwrap_or_default();
    Ok(expected.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

#[test]
fn the_page_has_every_setting_with_its_default_and_meaning() -> anyhow::Result<()> {
    let page = page()?;
    let path = root().join(PAGE);
    if std::env::var_os("UPDATE_SETTINGS").is_some() {
        std::fs::write(&path, &page)?;
    }
    ensure!(std::fs::read_to_string(&path)? == page, "{PAGE}: UPDATE_SETTINGS=1 writes it again");
    Ok(())
}

/// What all services have comes first, and once.
fn page() -> anyhow::Result<String> {
    let of_services = SERVICES.map(|service| Ok((service, settings(service)?)));
    let of_services = of_services.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let is_everybodys = |setting: &Setting| of_services.iter().all(|(_, settings)| settings.contains(setting));
    let mut page = HEAD.to_owned();
    let mut table = |title: &str, settings: &mut dyn Iterator<Item = &Setting>| -> anyhow::Result<()> {
        writeln!(page, "\n## {title}\n\n| setting | default | meaning |\n|---|---|---|")?;
        // Of a block there may be nothing to say.
        let rows = settings.filter(|setting| setting.default.is_some() || !setting.meaning.is_empty());
        for Setting { path, default, meaning } in rows {
            writeln!(page, "| `{path}` | {} | {meaning} |", default.as_deref().unwrap_or_default())?;
        }
        Ok(())
    };
    let (_, first) = of_services.first().context("no service")?;
    table("Of every service", &mut first.iter().filter(|setting| is_everybodys(setting)))?;
    for (service, settings) in &of_services {
        table(service, &mut settings.iter().filter(|setting| !is_everybodys(setting)))?;
    }
    Ok(page)
}

#[test]
fn every_variable_that_is_named_somewhere_is_a_setting() -> anyhow::Result<()> {
    let table = std::fs::read_to_string(root().join("crates/telemetry/src/config/table.md"))?;
    let mut known = BTreeSet::new();
    for service in SERVICES {
        known.extend(settings(service)?.into_iter().map(|setting| setting.path));
    }
    let is_setting = |variable: &str| {
        let path = variable[PREFIX.len()..].to_lowercase().replace("__", ".");
        let of_telemetry = path.strip_prefix("telemetry.").map(|key| key.split('.').next().unwrap_or_default());
        known.contains(&path)
            || path == "delivery.seed"
            || of_telemetry.is_some_and(|key| table.contains(&format!("`{key}")))
    };
    let variable = Regex::new(r"\bEPRO_[A-Z_]*[A-Z]\b")?;
    let listed = Command::new("git").arg("-C").arg(root()).args(["ls-files"]).output().context("ask git")?;
    let mut found = 0;
    for file in String::from_utf8(listed.stdout)?.lines().filter(|file| *file != OF_NOBODY) {
        // What is no text names nothing.
        let Ok(text) = std::fs::read_to_string(root().join(file)) else { continue };
        for variable in variable.find_iter(&text).map(|found| found.as_str()) {
            found += 1;
            let is_of_tools = OF_TOOLS.iter().any(|start| variable.starts_with(start));
            ensure!(is_of_tools || is_setting(variable), "{file}: no service reads {variable}");
        }
    }
    ensure!(found > 100, "{found} are found");
    Ok(())
}
