//! Makes the certificates of the demonstration, unless there are some that are valid for long enough.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use certificates::{Files, VALIDITY};
use clap::Parser;

#[derive(Parser)]
struct Arguments {
    /// Make new ones in any case, of a new authority.
    #[arg(long)]
    renew: bool,
    /// The folder that gets a folder for each name.
    folder: PathBuf,
    /// Names to make certificates for.
    #[arg(required = true)]
    names: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { renew, folder, names } = Arguments::parse();
    if !renew && names.iter().all(|name| is_young(&Files::of(&folder, name).certificate)) {
        println!("the certificates hold");
        return Ok(());
    }
    let holders: Vec<&str> = names.iter().map(String::as_str).collect();
    certificates::issue(&folder, &holders, &["localhost", "127.0.0.1"])?;
    println!("made {} certificates", names.len());
    Ok(())
}

/// Whether a certificate is in the first half of its validity.
fn is_young(certificate: &Path) -> bool {
    let age = || SystemTime::now().duration_since(certificate.metadata().ok()?.modified().ok()?).ok();
    age().is_some_and(|age| age < VALIDITY / 2)
}
