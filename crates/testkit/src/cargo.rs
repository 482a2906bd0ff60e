//! Runs cargo from a program that cargo runs.

use std::env::{var_os, vars_os};
use std::process::Command;

/// The cargo that runs this program, without the package variables that it has set. Some build scripts, such as ring's,
/// depend on these variables, and a change of them would rebuild ring and everything above it.
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
