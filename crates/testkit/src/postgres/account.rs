//! The account of the server's processes: Postgres refuses to run as root.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

/// The owner of the server's processes and files.
#[derive(Debug, Clone, Copy)]
pub(super) enum Account {
    /// The current user.
    Own,
    /// Another user, because the current one is root.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// The current user. If that is root, `postgres` or else `nobody`.
    pub(super) fn choose() -> anyhow::Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Own);
        }
        let users = std::fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| find(&users, name))
            .context("Postgres does not run as root, and there is no user `postgres` or `nobody` to run it as")
    }

    /// Runs the command as this account.
    pub(super) fn apply(self, command: &mut Command) -> &mut Command {
        match self {
            Self::Own => command,
            Self::Other { uid, gid } => command.uid(uid).gid(gid),
        }
    }

    /// Gives a file or folder to this account.
    pub(super) fn own(self, path: &Path) -> anyhow::Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => std::os::unix::fs::chown(path, Some(uid), Some(gid))
                .with_context(|| format!("give {} to user {uid}", path.display())),
        }
    }

    /// Whether the account is not the current user.
    pub(super) fn is_other(self) -> bool {
        matches!(self, Self::Other { .. })
    }
}

/// A user in the format of passwd(5): `name:password:uid:gid:...`.
fn find(users: &str, name: &str) -> Option<Account> {
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == name)?;
    Some(Account::Other { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let users = "root:x:0:0::/root:/bin/sh\npostgres2:x:7:8:::\nnobody:x:65534:65533:::\n";
        assert!(find(users, "postgres").is_none());
        assert!(matches!(find(users, "nobody"), Some(Account::Other { uid: 65534, gid: 65533 })));
    }
}
