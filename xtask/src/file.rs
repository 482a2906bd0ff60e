//! Files that commands write.

use std::path::Path;

use anyhow::Context;

/// Writes a file, and creates its folder if needed.
///
/// # Errors
/// When it cannot be written; the message names it.
pub(crate) fn write(path: &Path, contents: impl AsRef<[u8]>) -> anyhow::Result<()> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(path, contents)).with_context(|| format!("write {}", path.display()))
}
