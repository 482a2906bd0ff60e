//! A trace as a picture: a line for each span, with a bar from its start to its end.

use std::fmt::Write;

use crate::{Kind, Span, Trace, Tree};

const LINE: usize = 18;
/// The width of a character in the monospaced font.
const CHARACTER: usize = 7;
const BARS: usize = 440;
/// The space to the right of the bars for the longest duration.
const TIMES: usize = 100;
const MARGIN: usize = 16;
/// Longer names would leave too little space for the bars.
const LONGEST: usize = 60;
/// Colours that people with colour blindness can distinguish (Okabe and Ito, 2008).
const COLOURS: [&str; 7] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999"];
/// The background is a part of the picture, so that it is readable on a light and on a dark page.
const STYLE: &str = "\
text{fill:#1f2328}.paper{fill:#ffffff}.time{fill:#59636e}.mark{fill:#ffe9a8}
.failed{stroke:#c00000;stroke-width:2}.apart{fill-opacity:.45}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.paper{fill:#0d1117}.time{fill:#9198a1}.mark{fill:#5a4300}
.failed{stroke:#ff6b6b}}";

/// The trace as an SVG document, light or dark as the reader's screen. Spans are a tree at the left, each service has a
/// colour, and durations are at the right. Bars of asynchronous work are pale, and failed spans have a red frame. The
/// span whose id is in `remark` is marked, and the text of `remark` is at the top with the same mark.
pub fn waterfall(trace: &Trace, remark: Option<(&str, &str)>) -> String {
    let tree = Tree::new(&trace.spans);
    let start = trace.spans.iter().map(|span| span.start).min().unwrap_or_default();
    let end = trace.spans.iter().map(|span| span.end).max().unwrap_or_default();
    let names: Vec<String> = tree.order().iter().map(|at| name(&trace.spans[*at], tree.depth(*at))).collect();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let left = 2 * MARGIN + longest * CHARACTER;
    let scale = Scale { left, start, length: end.saturating_sub(start).max(1) };
    let heading = 2 + usize::from(remark.is_some());
    let mut services: Vec<&str> = Vec::new();
    let mut rows = String::new();
    for (row, (at, name)) in tree.order().iter().zip(&names).enumerate() {
        let span = &trace.spans[*at];
        if !services.contains(&&*span.service) {
            services.push(&span.service);
        }
        let service = services.iter().position(|service| *service == span.service).unwrap_or_default();
        let is_apart = is_apart(span) || tree.ancestors(*at).any(|above| is_apart(&trace.spans[above]));
        let is_marked = remark.is_some_and(|(span_id, _)| span_id == span.span_id);
        let bar = Bar { top: (row + heading) * LINE, colour: COLOURS[service % COLOURS.len()], is_apart, is_marked };
        rows += &draw(span, name, &bar, &scale);
    }
    let (width, height) = (left + BARS + TIMES, (names.len() + heading + 1) * LINE);
    let remark = remark.map(|(_, text)| line(MARGIN, 2 * LINE, &format!("{MARK} {text}"))).unwrap_or_default();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" \
         font-size=\"12\">\n<style>{STYLE}</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n\
         {}{remark}{rows}</svg>\n",
        legend(&services),
    )
}

const MARK: char = '▶';

/// Whether its parent does not wait for it.
fn is_apart(span: &Span) -> bool {
    matches!(span.kind, Kind::Producer | Kind::Consumer)
}

/// A span's name with its indentation in the tree.
fn name(span: &Span, depth: usize) -> String {
    let name = format!("{}{}", "  ".repeat(depth.min(LONGEST / 4)), span.name);
    if name.chars().count() <= LONGEST {
        return name;
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}

struct Scale {
    /// Where the bars begin.
    left: usize,
    start: u64,
    length: u64,
}

impl Scale {
    /// The horizontal position of a time.
    fn at(&self, moment: u64) -> usize {
        let share = u128::from(moment.saturating_sub(self.start)) * BARS as u128 / u128::from(self.length);
        self.left + usize::try_from(share).unwrap_or(BARS).min(BARS)
    }
}

fn line(left: usize, bottom: usize, text: &str) -> String {
    format!("<text x=\"{left}\" y=\"{bottom}\" xml:space=\"preserve\">{}</text>\n", escaped(text))
}

fn legend(services: &[&str]) -> String {
    let mut text = String::new();
    let mut left = MARGIN;
    for (service, colour) in services.iter().zip(COLOURS.iter().cycle()) {
        // Writing to a String cannot fail.
        let _ = write!(text, "<rect x=\"{left}\" y=\"8\" width=\"12\" height=\"12\" fill=\"{colour}\"/>");
        text += &line(left + 16, 18, service);
        left += 40 + CHARACTER * service.chars().count();
    }
    text
}

/// The bar of a span.
struct Bar<'b> {
    top: usize,
    colour: &'b str,
    is_apart: bool,
    is_marked: bool,
}

fn draw(span: &Span, name: &str, bar: &Bar<'_>, scale: &Scale) -> String {
    let Bar { top, colour, is_apart, is_marked } = bar;
    let (left, right) = (scale.at(span.start), scale.at(span.end));
    let width = right.saturating_sub(left).max(1);
    let mark = if *is_marked {
        let band = format!("<rect class=\"mark\" y=\"{top}\" width=\"100%\" height=\"{LINE}\"/>");
        band + &line(2, top + 13, &MARK.to_string())
    } else {
        String::new()
    };
    let failed = if span.status.is_error() { " failed" } else { "" };
    let apart = if *is_apart { " apart" } else { "" };
    format!(
        "{mark}{}<rect class=\"bar{failed}{apart}\" x=\"{left}\" y=\"{}\" width=\"{width}\" height=\"{}\" fill=\"{colour}\"/>\
         <text class=\"time\" x=\"{}\" y=\"{}\">{:.1} ms</text>\n",
        line(MARGIN, top + 13, name),
        top + 3,
        LINE - 6,
        left + width + 4,
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
        let picture = waterfall(&trace, None);
        // The longest name is "  work <b>".
        let start = 2 * MARGIN + 10 * CHARACTER;
        let bar = |left: usize, top: usize, width: usize| format!("x=\"{left}\" y=\"{top}\" width=\"{width}\"");
        assert!(picture.contains(&bar(start, 39, BARS)), "{picture}");
        assert!(picture.contains(&bar(start + BARS / 4, 57, BARS / 4)), "{picture}");
    }

    #[test]
    fn names_are_text_and_never_markup() {
        let picture = waterfall(&Trace::new(vec![span("a", None, 0, 1)]), Some(("a", "<this>")));
        assert!(picture.contains("work &lt;a&gt;") && !picture.contains("work <a>"), "{picture}");
        assert!(picture.contains("▶ &lt;this&gt;") && !picture.contains("<this>"), "{picture}");
    }

    #[test]
    fn a_name_that_is_too_long_leaves_the_bars_their_room() {
        let long = Span { name: "x".repeat(500), ..span("a", None, 0, 1) };
        let picture = waterfall(&Trace::new(vec![long]), None);
        assert!(picture.contains(&format!(">{}…<", "x".repeat(LONGEST - 1))), "{picture}");
    }

    #[test]
    fn what_has_failed_is_framed_and_what_nobody_waits_for_is_pale() {
        let failed = Span { status: Status::Error(String::new()), ..span("a", None, 0, 9) };
        let apart = Span { kind: Kind::Producer, ..span("b", Some("a"), 1, 9) };
        let picture = waterfall(&Trace::new(vec![failed, apart, span("c", Some("b"), 2, 9)]), None);
        assert_eq!(picture.matches("class=\"bar failed\"").count(), 1, "{picture}");
        assert_eq!(picture.matches("class=\"bar apart\"").count(), 2, "{picture}");
    }

    #[test]
    fn the_span_of_a_remark_is_marked_and_no_other() {
        let trace = Trace::new(vec![span("a", None, 0, 9), span("b", Some("a"), 1, 9)]);
        let picture = waterfall(&trace, Some(("b", "this one")));
        let marked: Vec<&str> = picture.lines().skip_while(|line| !line.contains("class=\"mark\"")).collect();
        assert!(marked[1].contains("work &lt;b&gt;"), "{picture}");
        assert_eq!(picture.matches("class=\"mark\"").count(), 1, "{picture}");
        assert!(picture.contains("▶ this one"), "{picture}");
        assert!(!waterfall(&trace, None).contains(MARK), "{picture}");
    }

    #[test]
    fn a_trace_without_spans_is_an_empty_picture() {
        assert!(waterfall(&Trace::default(), None).ends_with("</svg>\n"));
    }
}
