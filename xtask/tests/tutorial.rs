//! `docs/tutorial.md`: its steps are carried out in their order, and what it shows is what they print and draw.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use regex_lite::Regex;
use tempfile::TempDir;
use testkit::markdown::blocks;

const PAGE: &str = include_str!("../../docs/tutorial.md");

/// The folder of its pictures, relative to the page.
const PICTURES: &str = "images/tutorial/";

/// The folder in which the steps draw the pictures.
const DRAWN: &str = "target/tutorial";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_step_prints_and_draws_what_the_page_shows() -> anyhow::Result<()> {
    let blocks = blocks(PAGE);
    ensure!(
        PAGE.matches("```").count() == 2 * blocks.len() && !PAGE.contains("~~~"),
        "a fence is not at a line's start"
    );
    let place = Place::make()?;
    let mut printed = None;
    for block in blocks {
        match &*block.language {
            "sh" => printed = Some(place.run(&block.text)?),
            "text" => {
                let printed = printed.as_ref().context("a text comes before the first step")?;
                compare(&block.text, printed)?;
            }
            other => bail!("a block of kind {other:?} is neither run (sh) nor compared (text):\n{}", block.text),
        }
    }
    look_at_pictures(&place.folder.path().join(DRAWN))
}

/// The folder in which the steps run, like a clone with everything built.
struct Place {
    folder: TempDir,
}

impl Place {
    fn make() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let cargo = folder.path().join("bin/cargo");
        std::fs::create_dir_all(folder.path().join("bin"))?;
        let program = env!("CARGO_BIN_EXE_xtask");
        std::fs::write(&cargo, format!("#!/bin/sh\n[ \"$1\" = xtask ] && shift && exec '{program}' \"$@\"\n"))?;
        std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { folder })
    }

    /// Runs a step and returns its output.
    fn run(&self, step: &str) -> anyhow::Result<String> {
        let path = std::env::var("PATH")?;
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", step]).current_dir(&self.folder);
        shell.env("PATH", format!("{}:{path}", self.folder.path().join("bin").display()));
        // A fake cargo, because xtask must not build the services while other tests run them.
        shell.env("CARGO", "true").env_remove("OTEL_EXPORTER_OTLP_ENDPOINT");
        let output = shell.output().context("run bash")?;
        let (said, errors) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "a step ends with {}:\n{step}\n{said}\n{errors}", output.status);
        Ok(said)
    }
}

/// Whether the shown lines were printed in this order, apart from values that differ in each run. A line `…` stands for
/// any number of lines. At the end of a line `…` stands for the rest of it.
fn compare(shown: &str, printed: &str) -> anyhow::Result<()> {
    let (shown, lines) = (masked(shown)?, masked(printed)?);
    let mut rest = &lines[..];
    for piece in shown.split(|line| line == "…").filter(|piece| !piece.is_empty()) {
        let found = rest.windows(piece.len()).position(|lines| are_alike(piece, lines));
        let found = found
            .with_context(|| format!("the page shows\n\n{}\n\nand this was printed\n\n{printed}", piece.join("\n")))?;
        rest = &rest[found + piece.len()..];
    }
    Ok(())
}

fn are_alike(shown: &[String], printed: &[String]) -> bool {
    shown.iter().zip(printed).all(|(shown, printed)| {
        shown == printed || shown.strip_suffix('…').is_some_and(|start| printed.starts_with(start.trim_end()))
    })
}

/// The lines with times, ids, percentages and source lines masked, and without the padding of columns.
fn masked(text: &str) -> anyhow::Result<Vec<String>> {
    const MASKS: [(&str, &str); 5] = [
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "(time)"),
        // A duration may have as many digits as an id.
        (r#"duration_ms"?[:=][0-9.]+"#, "duration_ms=(number)"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,32}", "(id)"),
        (r"[0-9]+(\.[0-9]+)? ?(µs|ms|s|%)( |;|,|\.|:|$)", "(number)${3}"),
        (r"\.rs:[0-9:]+", ".rs:(line)"),
    ];
    let masks = MASKS.map(|(mask, instead)| Regex::new(mask).map(|mask| (mask, instead)));
    let masks = masks.into_iter().collect::<Result<Vec<_>, _>>()?;
    let lines = text.lines().map(|line| {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        masks.iter().fold(line, |line, (mask, instead)| mask.replace_all(&line, *instead).into_owned())
    });
    Ok(lines.collect())
}

/// Checks that each picture of the page is like the one that the steps have drawn, apart from times.
fn look_at_pictures(drawn: &Path) -> anyhow::Result<()> {
    let number = Regex::new("[0-9.]+")?;
    let rows = |path: &Path| -> anyhow::Result<Vec<String>> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mut rows: Vec<_> = text.lines().map(|line| number.replace_all(line, "0").into_owned()).collect();
        // Bars of the same time are drawn in the order of their starts, which differs between runs.
        rows.sort();
        Ok(rows)
    };
    let pictures: Vec<&str> =
        PAGE.split(&format!("]({PICTURES}")).skip(1).filter_map(|it| it.split(')').next()).collect();
    ensure!(pictures.len() > 4, "the page shows {pictures:?}");
    for picture in pictures {
        let (ours, theirs) = (root().join("docs").join(PICTURES).join(picture), drawn.join(picture));
        if std::env::var_os("UPDATE_PICTURES").is_some() {
            std::fs::create_dir_all(root().join("docs").join(PICTURES))?;
            std::fs::copy(&theirs, &ours).with_context(|| format!("no step draws {picture}"))?;
        }
        assert_eq!(rows(&ours)?, rows(&theirs)?, "{picture}: UPDATE_PICTURES=1 draws them again");
    }
    Ok(())
}

#[test]
fn what_the_page_says_of_just_is_in_the_justfile() -> anyhow::Result<()> {
    let recipes = std::fs::read_to_string(root().join("justfile"))?;
    let mut named = PAGE.split("`just ").skip(1).filter_map(|rest| rest.split([' ', '`']).next()).peekable();
    ensure!(named.peek().is_some(), "the page names none");
    for name in named {
        let is_there = recipes.lines().any(|line| line.split([' ', ':']).next() == Some(name));
        ensure!(is_there, "there is no recipe {name}");
    }
    Ok(())
}

#[test]
fn a_text_is_compared_but_for_what_differs_from_run_to_run() -> anyhow::Result<()> {
    let printed = "one 12.3 ms\ntwo 5b8efff798038103d269b633813fc60c\nthree   of 20, 97 % of the time\nfour and more\n";
    compare("one 4.0 s\ntwo 00000000000000000000000000000000\n", printed)?;
    compare("one 1 ms\n…\nthree of 20, 1 % of the time\nfour …\n", printed)?;
    for wrong in ["one 1 ms\nthree of 20, 97 % of the time\n", "three of 21, 97 % of the time\n", "four\n", "…\nfive\n"]
    {
        ensure!(compare(wrong, printed).is_err(), "{wrong}");
    }
    Ok(())
}
