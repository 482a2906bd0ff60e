//! The full-screen texts.

use testkit::scenario::Scenario;
use textwrap::{Options, WordSplitter, fill};

use super::curl;
use super::keys::Tab;
use super::model::{Model, Page};
use super::row::Row;

/// The indent of an explanation's continuation lines.
const INDENT: &str = "            ";

const HELP: &str = "\
s            submit a report
f            choose a failure, and make a report fail by it
Enter, t     the tree of a trace
e            what went wrong in it, by the trace alone
l            its log lines
arrows, PgUp, PgDn, Home, End   move
Esc          back to the list
q, Ctrl-C    end, and leave nothing behind

✓ all is well   ✗ something went wrong   ~ slow, refused, or not known   … spans still come

To send one from elsewhere:
";

/// The lines of a text.
pub(super) fn lines(model: &Model, page: &Page) -> Vec<String> {
    let text = match page {
        Page::Help => format!("{HELP}\n{}", curl(&model.gateway)),
        Page::Trace(id, tab) => match (model.row(id), tab) {
            (None, _) => "the trace has been forgotten".to_owned(),
            (Some(row), Tab::Tree) => tree(row),
            (Some(row), Tab::Explanation) => explanation(model, row),
            (Some(_), Tab::Logs) if model.logs.is_empty() => "no log line has its id".to_owned(),
            (Some(_), Tab::Logs) => model.logs.join("\n"),
        },
    };
    text.lines().map(str::to_owned).collect()
}

fn tree(row: &Row) -> String {
    match &row.explanation.guilty {
        Some(guilty) => row.trace.render_with_remark(&guilty.span_id, &format!("to blame: {}", guilty.blamed)),
        None if row.trace.is_empty() => "no span has come".to_owned(),
        None => row.trace.render(),
    }
}

/// The explanation of a trace, then what the demo did to cause it, if it did.
fn explanation(model: &Model, row: &Row) -> String {
    let scenario = model.scenarios.iter().find(|scenario| row.sender.as_ref() == Some(&scenario.name));
    let story = scenario.map(|Scenario { title, patient, question, answer, .. }| {
        format!("\nwhat we did {title}\nthe patient {patient}\n{question}\n{answer}\n")
    });
    let text = format!("{}{}", row.explanation, story.unwrap_or_default());
    let width = usize::from(model.size.0).max(INDENT.len() * 2);
    let options = Options::new(width).subsequent_indent(INDENT).word_splitter(WordSplitter::NoHyphenation);
    text.lines().map(|line| fill(line, &options)).collect::<Vec<_>>().join("\n")
}
