//! A trace for people: one line a span.

use std::fmt::Write;
use std::time::Duration;

use termtree::Tree;

use super::{Span, Status, Trace};

/// The longest name with its place in the tree, in characters: that of a statement has all its tables.
const LONGEST: usize = 76;

/// The columns service, span (indented as a tree), kind, start, duration and status.
///
/// Start counts from the first span's start. Orphans come after the roots, marked as such.
pub(super) fn render(trace: &Trace) -> String {
    let mut rows = vec![["SERVICE", "SPAN", "KIND", "START", "DURATION", "STATUS"].map(ToOwned::to_owned)];
    let origin = trace.spans.iter().map(|span| span.start).min().unwrap_or_default();
    let roots = trace.roots().into_iter().map(|root| (root, root.name.clone()));
    let orphans = trace.orphans().into_iter().map(|orphan| (orphan, format!("(parent missing) {}", orphan.name)));
    for (top, label) in roots.chain(orphans) {
        let mut spans = Vec::new();
        let tree = grow(trace, top, label, &mut spans).to_string();
        rows.extend(tree.lines().zip(spans).map(|(line, span)| row(span, line, origin)));
    }
    align(&rows)
}

/// Collects the spans in the order of the tree's lines.
fn grow<'a>(trace: &'a Trace, span: &'a Span, label: String, spans: &mut Vec<&'a Span>) -> Tree<String> {
    spans.push(span);
    let mut tree = Tree::new(label);
    for child in trace.children(&span.span_id) {
        tree.push(grow(trace, child, child.name.clone(), spans));
    }
    tree
}

fn row(span: &Span, line: &str, origin: u64) -> [String; 6] {
    let start = Duration::from_nanos(span.start.saturating_sub(origin));
    [
        span.service.clone(),
        shortened(line),
        span.kind.to_string(),
        format!("{:>9}", milliseconds(start)),
        format!("{:>9}", milliseconds(span.duration())),
        match &span.status {
            Status::Unset => String::new(),
            Status::Ok => "ok".to_owned(),
            Status::Error(description) => format!("ERROR {description}"),
        },
    ]
}

fn shortened(line: &str) -> String {
    if line.chars().count() <= LONGEST {
        return line.to_owned();
    }
    line.chars().take(LONGEST - 1).chain(['…']).collect()
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

fn align<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            // Writing to a String cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
