//! `CONTRIBUTING.md`: what it tells people to add is added to a copy of the repository, as written, and tested there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use testkit::markdown::{Block, blocks};

use super::toolchain::{cargo, files, folder, succeed, workspace};

const PAGE: &str = include_str!("../../../CONTRIBUTING.md");

/// The crates that the examples change. They are built with their unit tests; others only as far as these need them.
const CHANGED: [&str; 5] = ["crates/telemetry", "epro-svc", "data-svc", "notify-svc", "gateway"];

/// The tests of these crates that may say something of the examples, by parts of their names.
const ABOUT: [&str; 6] = ["rules::", "file::", "channel::", "message::", "values::", "routes::"];

/// Where the crates are in the copy. In its root they would be the originals to cargo, which would overwrite what it has
/// built of them.
const CRATES: &str = "crates-of-the-copy";

/// The files of the repository by their paths, with what the page adds to them.
struct Copy(BTreeMap<PathBuf, Vec<u8>>);

impl Copy {
    fn of_the_repository() -> anyhow::Result<Self> {
        let root = workspace();
        let read = |path: PathBuf| Ok((path.strip_prefix(&root)?.to_owned(), std::fs::read(path)?));
        Ok(Self(files(&root)?.into_iter().map(read).collect::<anyhow::Result<_>>()?))
    }

    fn text(&self, path: &str) -> anyhow::Result<&str> {
        let file = self.0.get(Path::new(path)).with_context(|| format!("there is no {path}"))?;
        Ok(std::str::from_utf8(file)?)
    }

    fn write(&mut self, path: impl Into<PathBuf>, text: String) -> Option<Vec<u8>> {
        self.0.insert(path.into(), text.into_bytes())
    }

    /// Writes the file of a block that names one, or changes the file that a block's hunks are about. A file that is there
    /// is only shown, as it is. Other blocks are no files.
    fn apply(&mut self, block: &Block) -> anyhow::Result<()> {
        if let Some((_, path)) = block.language.split_once(' ') {
            let before = self.write(path, block.text.clone());
            ensure!(before.is_none_or(|before| before == block.text.as_bytes()), "{path} is another one");
        } else if block.language == "diff" {
            let path = block.text.lines().find_map(|line| line.strip_prefix("+++ b/")).context("a diff of no file")?;
            let mut text = self.text(path)?.to_owned();
            for (old, new) in hunks(&block.text) {
                ensure!(text.matches(&old).count() == 1, "not once in {path}:\n{old}");
                text = text.replace(&old, &new);
            }
            self.write(path, text);
        }
        Ok(())
    }

    /// Writes it as a workspace whose dependencies cargo has built already, since their features are those of the
    /// original. Leaves files as they are that are the same as before: cargo compiles what is newer than what it has built.
    fn write_to(&self, root: &Path) -> anyhow::Result<()> {
        let manifest = self.text("Cargo.toml")?.replace("{ path = \"", &format!("{{ path = \"{CRATES}/"));
        let (members, rest) = manifest.split_once("]\n\n").context("no list of members")?;
        let members: Vec<_> = members.split('"').skip(3).step_by(2).collect();
        let mut copied: BTreeMap<_, _> = self.0.iter().map(|(path, file)| (place(path), file.clone())).collect();
        let listed: Vec<_> = members.iter().map(|member| format!("{CRATES}/{member}")).collect();
        let head = format!("[workspace]\nresolver = \"3\"\nmembers = {listed:?}\n\n");
        copied.insert("Cargo.toml".into(), (head + rest).into_bytes());
        for member in members.iter().filter(|member| !CHANGED.contains(member)) {
            let path = format!("{member}/Cargo.toml");
            let has_tests = self.0.contains_key(&Path::new(member).join("src/lib.rs"));
            if has_tests && !self.text(&path)?.contains("[lib]") {
                let manifest = self.text(&path)?.to_owned() + "\n[lib]\ntest = false\ndoctest = false\n";
                copied.insert(place(Path::new(&path)), manifest.into_bytes());
            }
        }
        for left in
            files(root)?.iter().filter(|path| path.strip_prefix(root).is_ok_and(|path| !copied.contains_key(path)))
        {
            std::fs::remove_file(left)?;
        }
        for (path, file) in copied {
            let path = root.join(path);
            if std::fs::read(&path).ok().as_ref() != Some(&file) {
                std::fs::create_dir_all(path.parent().context("a file in no folder")?)?;
                std::fs::write(path, file)?;
            }
        }
        Ok(())
    }
}

/// Where a file of the repository is in the copy.
fn place(path: &Path) -> PathBuf {
    let is_of_the_workspace =
        path.starts_with(".sqlx") || path == Path::new("Cargo.toml") || path == Path::new("Cargo.lock");
    if is_of_the_workspace { path.to_owned() } else { Path::new(CRATES).join(path) }
}

/// Each of a diff's changes: some lines as they are, and as they become.
fn hunks(diff: &str) -> Vec<(String, String)> {
    let mut hunks: Vec<(String, String)> = Vec::new();
    for line in diff.lines() {
        if line.starts_with("@@") {
            hunks.push(Default::default());
        } else if let Some((old, new)) = hunks.last_mut() {
            let (mark, text) = line.split_at_checked(1).unwrap_or((" ", ""));
            if mark != "+" {
                old.extend([text, "\n"]);
            }
            if mark != "-" {
                new.extend([text, "\n"]);
            }
        }
    }
    hunks
}

#[test]
fn a_diff_is_lines_as_they_are_and_as_they_become() {
    let diff = "--- a/x\n+++ b/x\n@@\n one\n-two\n+three\n\n@@\n+four\n";
    let hunk = |old: &str, new: &str| (old.to_owned(), new.to_owned());
    assert_eq!(hunks(diff), [hunk("one\ntwo\n\n", "one\nthree\n\n"), hunk("", "four\n")]);
}

#[tokio::test]
async fn what_the_page_adds_to_a_copy_works_there() -> anyhow::Result<()> {
    let mut copy = Copy::of_the_repository()?;
    for block in blocks(PAGE) {
        copy.apply(&block)?;
    }
    let root = folder("docs-contributing");
    std::fs::create_dir_all(&root)?;
    copy.write_to(&root)?;
    let mut tests = cargo(&root);
    tests.args(["test", "--workspace", "--lib", "--"]).args(ABOUT).env("SQLX_OFFLINE", "true");
    let said = String::from_utf8(succeed(&mut tests).await?.stdout)?;
    for test in [
        "a_text_with_a_control_character_is_refused",
        "a_read_is_a_span_that_does_not_show_the_files_name",
        "a_push_names_the_nurse_by_her_id",
        "the_database_lets_in_the_words_there_are_and_no_others",
    ] {
        assert!(said.contains(&format!("::{test} ... ok")), "{said}");
    }
    Ok(())
}
