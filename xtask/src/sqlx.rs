//! `cargo xtask sqlx`: writes the types of the queries of user-svc and data-svc to files. Later builds check the
//! queries against these files without a database. `cargo sqlx prepare` does the same, but needs a database and an
//! installed tool.

use std::collections::BTreeMap;
use std::fs::{File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};
use clap::Args;
use testkit::postgres::Postgres;

use crate::cargo::{cargo, succeed};

/// The crates with queries.
const CRATES: [&str; 2] = ["user-svc", "data-svc"];

#[derive(Args)]
pub(crate) struct Options {
    /// Only compare with the stored files, and fail if they are not up to date.
    #[arg(long)]
    check: bool,
}

/// The contents by file name.
type Queries = BTreeMap<String, String>;

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let folder = root.join(".sqlx");
    let current = describe(root).await?;
    let stored = read(&folder)?;
    let differences = differences(&stored, &current);
    for difference in &differences {
        println!("{difference}");
    }
    if options.check && !differences.is_empty() {
        bail!("the files in .sqlx are not those of the queries and migrations: run `cargo xtask sqlx`, commit .sqlx");
    }
    if !options.check {
        write(&folder, &stored, &current)?;
    }
    println!(".sqlx describes all {} queries", current.len());
    Ok(())
}

/// Compiles the crates against a new database. sqlx's macros then write down what the server says about each query.
async fn describe(root: &Path) -> anyhow::Result<Queries> {
    let output = tempfile::Builder::new().prefix("epro-sqlx-").tempdir()?;
    let mut postgres = Postgres::builder().fsync(false).start().await?;
    postgres.cluster().create_template().await?;
    let database = postgres.cluster().create_database().await?;

    let touched: Vec<Touched> =
        CRATES.iter().map(|name| Touched::new(root.join(name).join("src/lib.rs"))).collect::<Result<_, _>>()?;
    let mut check = cargo();
    check
        .current_dir(root)
        // All libraries, so that dependencies have the same features as for clippy.
        .args(["check", "--quiet", "--locked", "--workspace", "--lib"])
        .env("DATABASE_URL", database.admin_url())
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", output.path());
    let checked = tokio::select! {
        checked = succeed(check) => checked,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    drop(touched);
    checked?;
    postgres.stop().await?;
    read(output.path())
}

/// A source file with a new modification time until this is dropped. Otherwise cargo would not compile the crate again,
/// because it does not know that the database has changed.
struct Touched {
    path: PathBuf,
    modified: SystemTime,
}

impl Touched {
    fn new(path: PathBuf) -> anyhow::Result<Self> {
        let modified = path.metadata().and_then(|file| file.modified()).with_context(|| path.display().to_string())?;
        set_modified(&path, SystemTime::now())?;
        Ok(Self { path, modified })
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        // If this fails, cargo only compiles the crate once more.
        let _ = set_modified(&self.path, self.modified);
    }
}

fn set_modified(path: &Path, time: SystemTime) -> std::io::Result<()> {
    File::options().append(true).open(path)?.set_times(FileTimes::new().set_modified(time))
}

fn read(folder: &Path) -> anyhow::Result<Queries> {
    let mut queries = Queries::new();
    if !folder.exists() {
        return Ok(queries);
    }
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        if name.starts_with("query-") {
            queries.insert(name, std::fs::read_to_string(file.path())?);
        }
    }
    Ok(queries)
}

/// Writes only the files that differ, because each change makes cargo compile the crates again.
fn write(folder: &Path, stored: &Queries, current: &Queries) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    for name in stored.keys().filter(|name| !current.contains_key(*name)) {
        std::fs::remove_file(folder.join(name))?;
    }
    for (name, text) in current.iter().filter(|(name, text)| stored.get(*name) != Some(text)) {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}

/// One line for each file that is missing, out of date or not needed.
fn differences(stored: &Queries, current: &Queries) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, text) in current {
        match stored.get(name) {
            None => differences.push(format!("missing: {name} for {}", query(text))),
            Some(old) if old != text => differences.push(format!("changed: {name} for {}", query(text))),
            Some(_) => {}
        }
    }
    for (name, text) in stored.iter().filter(|(name, _)| !current.contains_key(*name)) {
        differences.push(format!("stale: {name} for {}", query(text)));
    }
    differences
}

/// The query in a file, on one line.
fn query(text: &str) -> String {
    let file: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    file["query"].as_str().unwrap_or("no query at all").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queries(entries: &[(&str, &str)]) -> Queries {
        let file = |query: &str| serde_json::json!({ "query": query }).to_string();
        entries.iter().map(|(name, query)| (format!("query-{name}.json"), file(query))).collect()
    }

    #[test]
    fn missing_changed_and_stale_files_are_told_apart() {
        let stored = queries(&[("a", "SELECT 1"), ("b", "SELECT 2"), ("c", "SELECT 3")]);
        let current = queries(&[("a", "SELECT 1"), ("b", "SELECT\n  20"), ("d", "SELECT 4")]);
        assert_eq!(differences(&current, &current), Vec::<String>::new());
        let expected = [
            "changed: query-b.json for SELECT 20",
            "missing: query-d.json for SELECT 4",
            "stale: query-c.json for SELECT 3",
        ];
        assert_eq!(differences(&stored, &current), expected);
    }

    #[test]
    fn writing_leaves_exactly_the_current_files() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let stored = queries(&[("a", "SELECT 1"), ("b", "SELECT 2")]);
        let current = queries(&[("b", "SELECT 20"), ("d", "SELECT 4")]);
        write(folder.path(), &Queries::new(), &stored)?;
        write(folder.path(), &read(folder.path())?, &current)?;
        assert_eq!(read(folder.path())?, current);
        Ok(())
    }

    #[test]
    fn a_touched_file_gets_its_time_back() -> anyhow::Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        let before = SystemTime::UNIX_EPOCH + std::time::Duration::from_hours(24);
        set_modified(file.path(), before)?;
        let touched = Touched::new(file.path().to_owned())?;
        assert_ne!(file.path().metadata()?.modified()?, before);
        drop(touched);
        assert_eq!(file.path().metadata()?.modified()?, before);
        Ok(())
    }
}
