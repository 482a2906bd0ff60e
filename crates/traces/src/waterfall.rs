//! A trace as a picture: a line a span, with a bar from its start to its end.

use std::fmt::Write;

use crate::{Kind, Span, Trace, Tree};

const LINE: usize = 18;
const NAMES: usize = 560;
const BARS: usize = 640;
const MARGIN: usize = 10;
/// Names that are longer would run into the bars.
const LONGEST: usize = 78;
/// Well told apart by people who see colours differently (Okabe and Ito, 2008).
const COLOURS: [&str; 7] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999"];
const FAILED: &str = "#c00000";

/// The trace as a document in SVG: spans as a tree at the left, a colour for each service, and times at the right. A bar
/// that is pale is of work that nobody waits for; a red frame is around what has failed.
pub fn waterfall(trace: &Trace) -> String {
    let tree = Tree::new(trace);
    let start = trace.spans.iter().map(|span| span.start).min().unwrap_or_default();
    let end = trace.spans.iter().map(|span| span.end).max().unwrap_or_default();
    let scale = Scale { start, length: end.saturating_sub(start).max(1) };
    let mut services: Vec<&str> = Vec::new();
    let mut rows = String::new();
    for (row, at) in tree.order().iter().enumerate() {
        let span = &trace.spans[*at];
        if !services.contains(&&*span.service) {
            services.push(&span.service);
        }
        let service = services.iter().position(|service| *service == span.service).unwrap_or_default();
        let apart = is_apart(span) || tree.ancestors(*at).any(|above| is_apart(&trace.spans[above]));
        rows += &draw(span, tree.depth(*at), row + 2, COLOURS[service % COLOURS.len()], apart, &scale);
    }
    let (width, height) = (NAMES + BARS + 12 * MARGIN, (tree.order().len() + 3) * LINE);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{}{rows}</svg>\n",
        legend(&services),
    )
}

/// Whether nobody waits for it.
fn is_apart(span: &Span) -> bool {
    matches!(span.kind, Kind::Producer | Kind::Consumer)
}

struct Scale {
    start: u64,
    length: u64,
}

impl Scale {
    /// Where a moment is, from the left end of the bars.
    fn at(&self, moment: u64) -> usize {
        let share = u128::from(moment.saturating_sub(self.start)) * BARS as u128 / u128::from(self.length);
        usize::try_from(share).unwrap_or(BARS).min(BARS)
    }
}

fn legend(services: &[&str]) -> String {
    let mut text = String::new();
    let mut left = MARGIN;
    for (service, colour) in services.iter().zip(COLOURS.iter().cycle()) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "<rect x=\"{left}\" y=\"8\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"18\">{}</text>",
            left + 16,
            escaped(service),
        );
        left += 40 + 7 * service.chars().count();
    }
    text
}

fn draw(span: &Span, depth: usize, row: usize, colour: &str, apart: bool, scale: &Scale) -> String {
    let top = row * LINE;
    let (left, right) = (scale.at(span.start), scale.at(span.end));
    let width = right.saturating_sub(left).max(1);
    let name = format!("{}{}", "  ".repeat(depth.min(LONGEST / 4)), span.name);
    let name: String = name.chars().take(LONGEST).collect();
    let frame = if span.status.is_error() { format!(" stroke=\"{FAILED}\" stroke-width=\"2\"") } else { String::new() };
    let opacity = if apart { "0.45" } else { "1" };
    format!(
        "<text x=\"{MARGIN}\" y=\"{}\" xml:space=\"preserve\">{}</text>\
         <rect x=\"{}\" y=\"{}\" width=\"{width}\" height=\"{}\" fill=\"{colour}\" fill-opacity=\"{opacity}\"{frame}/>\
         <text x=\"{}\" y=\"{}\" fill=\"#444444\">{:.1} ms</text>\n",
        top + 13,
        escaped(&name),
        NAMES + left,
        top + 3,
        LINE - 6,
        NAMES + left + width + 4,
        top + 13,
        span.duration().as_secs_f64() * 1e3,
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;

    fn span(id: &str, parent: Option<&str>, start: u64, end: u64) -> Span {
        Span {
            span_id: id.to_owned(),
            parent_span_id: parent.map(ToOwned::to_owned),
            service: format!("service {id}"),
            name: format!("work <{id}>"),
            start,
            end,
            ..Span::default()
        }
    }

    #[test]
    fn a_bar_is_where_and_as_long_as_its_span_was() {
        let trace = Trace::new(vec![span("a", None, 1_000, 5_000), span("b", Some("a"), 2_000, 3_000)]);
        let picture = waterfall(&trace);
        assert!(picture.contains(&format!("<rect x=\"{NAMES}\" y=\"39\" width=\"{BARS}\"")), "{picture}");
        let (left, width) = (NAMES + BARS / 4, BARS / 4);
        assert!(picture.contains(&format!("<rect x=\"{left}\" y=\"57\" width=\"{width}\"")), "{picture}");
    }

    #[test]
    fn names_are_text_and_never_markup() {
        let picture = waterfall(&Trace::new(vec![span("a", None, 0, 1)]));
        assert!(picture.contains("work &lt;a&gt;") && !picture.contains("work <a>"), "{picture}");
    }

    #[test]
    fn what_has_failed_is_framed_and_what_nobody_waits_for_is_pale() {
        let failed = Span { status: Status::Error(String::new()), ..span("a", None, 0, 9) };
        let apart = Span { kind: Kind::Producer, ..span("b", Some("a"), 1, 9) };
        let picture = waterfall(&Trace::new(vec![failed, apart, span("c", Some("b"), 2, 9)]));
        assert_eq!(picture.matches(FAILED).count(), 1, "{picture}");
        assert_eq!(picture.matches("fill-opacity=\"0.45\"").count(), 2, "{picture}");
    }

    #[test]
    fn a_trace_without_spans_is_an_empty_picture() {
        assert!(waterfall(&Trace::default()).ends_with("</svg>\n"));
    }
}
