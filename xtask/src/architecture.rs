//! `cargo xtask architecture`: checks which crates and which modules may depend on which, and what sources must not contain.
//!
//! Rules about single calls are in `clippy.toml` instead.

mod dependencies;
mod modules;
mod paths;
mod purity;
mod sources;
mod workspace;

use anyhow::bail;
use workspace::Workspace;

/// The crates of business code.
const SERVICES: [&str; 5] = ["gateway", "user-svc", "epro-svc", "data-svc", "notify-svc"];

/// Prints one line for each violation.
pub(crate) fn run() -> anyhow::Result<()> {
    let findings = findings(&Workspace::read()?)?;
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("the architecture is broken in {} places", findings.len());
    }
    println!("the architecture is as it should be");
    Ok(())
}

fn findings(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut findings = dependencies::check(&workspace.members, &workspace.locked);
    findings.extend(sources::check(&workspace.sources));
    findings.extend(purity::check(&workspace.sources));
    findings.extend(modules::check(&workspace.sources)?);
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_has_the_architecture_it_claims() -> anyhow::Result<()> {
        let workspace = Workspace::read()?;
        assert!(SERVICES.iter().all(|service| workspace.members.iter().any(|member| member.name == *service)));
        assert!(workspace.sources.iter().any(|source| source.path == "gateway/src/main.rs"));
        assert!(workspace.locked.iter().any(|package| package.name == "tonic"));
        assert_eq!(findings(&workspace)?, Vec::<String>::new());
        Ok(())
    }
}
