//! A trace as text with one line for each span.

use std::fmt::Write;
use std::time::Duration;

use crate::{Span, Status, Tree};

/// The most characters of a name with its indentation. A statement's name lists all its tables.
const LONGEST: usize = 76;

/// A table with the columns service, span (indented as a tree), kind, start, duration and status.
///
/// The start is relative to the start of the first span. Spans whose parent is missing come after the roots, with a
/// mark. `remark` adds a text to one span.
pub(crate) fn render(spans: &[Span], remark: Option<(&str, &str)>) -> String {
    let mut rows = vec![["SERVICE", "SPAN", "KIND", "START", "DURATION", "STATUS"].map(ToOwned::to_owned)];
    let origin = spans.first().map_or(0, |span| span.start);
    let tree = Tree::new(spans);
    for top in tree.tops() {
        // For each span on the way down, whether it is the last of its siblings.
        let mut lasts: Vec<bool> = Vec::new();
        for at in tree.below(*top) {
            let depth = tree.depth(at);
            lasts.truncate(depth.saturating_sub(1));
            if let Some(parent) = tree.parent(at) {
                lasts.push(tree.children(parent).last() == Some(&at));
            }
            let span = &spans[at];
            let mut row = row(span, &line(span, &lasts), origin);
            if let Some((_, text)) = remark.filter(|(span_id, _)| *span_id == span.span_id) {
                let status = std::mem::take(&mut row[5]);
                let space = if status.is_empty() { "" } else { " " };
                row[5] = format!("{status}{space}<== {text}");
            }
            rows.push(row);
        }
    }
    align(&rows)
}

fn line(span: &Span, lasts: &[bool]) -> String {
    let Some((last, above)) = lasts.split_last() else {
        let mark = if span.parent_span_id.is_some() { "(parent missing) " } else { "" };
        return format!("{mark}{}", span.name);
    };
    // Indentation beyond this would not be visible.
    let above = above.iter().take(LONGEST / 4).map(|last| if *last { "    " } else { "│   " });
    above.chain([if *last { "└── " } else { "├── " }, &span.name]).collect()
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

pub(crate) fn align<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Trace;

    #[test]
    fn a_remark_is_on_the_line_of_its_span_alone() {
        let span = |id: &str| Span { span_id: id.to_owned(), name: id.to_owned(), ..Span::default() };
        let text = Trace::new(vec![span("a"), span("b")]).render_with_remark("b", "this one");
        let marked: Vec<_> = text.lines().filter(|line| line.ends_with("<== this one")).collect();
        assert!(marked.len() == 1 && marked[0].contains(" b "), "{text}");
    }
}
