//! The pieces of source files that a page shows, and its links.

use anyhow::{Context, ensure};

use super::toolchain::{files, workspace};

/// What a source file shows on a page: the lines between `// ANCHOR: name` and `// ANCHOR_END: name`, as far to the left
/// as they go.
pub(crate) fn pieces(source: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut open: Option<Vec<&str>> = None;
    for line in source.lines() {
        let mark = line.trim_start();
        if mark.starts_with("// ANCHOR: ") {
            open = Some(Vec::new());
        } else if mark.starts_with("// ANCHOR_END: ") {
            pieces.extend(open.take().map(|lines| to_the_left(&lines)));
        } else if let Some(lines) = &mut open {
            lines.push(line);
        }
    }
    pieces
}

fn to_the_left(lines: &[&str]) -> String {
    let indent = |line: &&&str| line.len() - line.trim_start().len();
    let least = lines.iter().filter(|line| !line.is_empty()).map(|line| indent(&line)).min().unwrap_or(0);
    lines.iter().flat_map(|line| [line.get(least..).unwrap_or_default(), "\n"]).collect()
}

#[test]
fn a_piece_loses_the_indentation_of_its_place_and_nothing_else() {
    let source = "fn outer() {\n    // ANCHOR: a\n    if true {\n        work();\n\n    }\n    // ANCHOR_END: a\n}\n";
    assert_eq!(pieces(source), ["if true {\n    work();\n\n}\n"]);
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>();
    kept.replace(' ', "-")
}

/// Where the links of a page lead that leave neither this project nor it: a path, perhaps empty, and an anchor.
fn links(page: &str) -> Vec<(&str, Option<&str>)> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    let inside = targets.filter(|target| !target.contains("://"));
    inside.map(|target| target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)))).collect()
}

#[test]
fn every_link_of_every_page_leads_somewhere() -> anyhow::Result<()> {
    let pages = files(&workspace())?.into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "md"));
    let mut found = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page)?;
        for (path, wanted) in links(&text) {
            found += 1;
            let target = if path.is_empty() { page.clone() } else { page.with_file_name(path) };
            ensure!(target.exists(), "{} links to {path}", page.display());
            let Some(wanted) = wanted else { continue };
            let other = std::fs::read_to_string(&target).with_context(|| path.to_owned())?;
            let headings = other.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
            ensure!(headings.map(anchor).any(|anchor| anchor == wanted), "{} links to {path}#{wanted}", page.display());
        }
    }
    ensure!(found > 100, "only {found} links");
    Ok(())
}
