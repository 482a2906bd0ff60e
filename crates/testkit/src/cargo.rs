//! Cargo, called by a program that cargo runs.

use std::env::{var_os, vars_os};
use std::process::Command;

/// Cargo as it was called, and without what it has told this program of its package: a build script that asks for that, as
/// ring's does, would take it for news, and everything above ring would be built again.
pub fn cargo() -> Command {
    let mut command = Command::new(var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let of_package = |name: &str| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| name.starts_with(start));
    for (name, _) in vars_os().filter(|(name, _)| name.to_str().is_some_and(of_package)) {
        command.env_remove(name);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_not_told_of_the_package_that_calls_it() {
        let command = cargo();
        let removed: Vec<_> = command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        assert!(removed.contains(&"CARGO_MANIFEST_DIR".as_ref()) && removed.contains(&"CARGO_PKG_NAME".as_ref()));
    }
}
