//! Trees that are expected of one system, from a file.
//!
//! ```text
//! # Indentation is the tree; two spaces or more are between columns.
//! shop  POST /orders  SERVER  [http.response.status_code=201]
//!   shop  orders.v1.Orders/Place  CLIENT
//!     orders  orders.v1.Orders/Place  SERVER
//!       orders  INSERT *  CLIENT  {1..}
//!       orders  audit  INTERNAL  {0..1}
//!   ...
//! ```
//!
//! A line is a span: service, name and kind; a `*` at the end of a service or a name stands for anything. `{n}`, `{a..b}`
//! and `{a..}` say how often it is there, once by default. `[key=value]` asks for an attribute. `...` among the children
//! lets others be there, too. A line that is not indented says which traces the tree is of: those whose root it fits; all
//! others are not judged. Where several trees fit a root, one of them has to be the trace's.

use std::fmt;
use std::str::FromStr;

use super::{Rule, Violation};
use crate::{Kind, Span, Tree};

/// The expected trees.
#[derive(Debug, Clone, Default)]
pub struct Expectation {
    trees: Vec<Expected>,
}

/// A line of an expectation cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Invalid {
    pub line: usize,
    pub problem: String,
}

#[derive(Debug, Clone)]
struct Expected {
    service: String,
    name: String,
    kind: Kind,
    /// The least and the most repetitions; unlimited if there is no most.
    least: usize,
    most: Option<usize>,
    attributes: Vec<(String, String)>,
    children: Vec<Expected>,
    /// Whether other children are allowed.
    open: bool,
}

impl Expectation {
    /// The differences from the expectation in a trace that is one tree. Empty if no tree is expected for its root.
    pub(super) fn check(&self, tree: &Tree<'_>) -> Vec<Violation> {
        let Some(top) = tree.tops().first() else { return Vec::new() };
        let fitting = self.trees.iter().filter(|expected| expected.fits(&tree.spans()[*top]));
        fitting.map(|expected| expected.check(tree, *top)).min_by_key(Vec::len).unwrap_or_default()
    }
}

impl Expected {
    fn fits(&self, span: &Span) -> bool {
        let has = |(key, value): &(String, String)| {
            let found = span.attributes.get(key);
            found.is_some_and(|found| found.as_str().map_or_else(|| found.to_string(), ToOwned::to_owned) == *value)
        };
        self.kind == span.kind
            && is_like(&self.service, &span.service)
            && is_like(&self.name, &span.name)
            && self.attributes.iter().all(has)
    }

    /// The differences below a span that matches.
    fn check(&self, tree: &Tree<'_>, at: usize) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut counts = vec![0; self.children.len()];
        for child in tree.children(at) {
            let span = &tree.spans()[*child];
            let fitting = self.children.iter().enumerate().filter(|(_, expected)| expected.fits(span));
            let judged = fitting.map(|(place, expected)| {
                let surplus = expected.most.is_some_and(|most| counts[place] >= most);
                (place, surplus, expected.check(tree, *child))
            });
            match judged.min_by_key(|(_, surplus, violations)| (*surplus, violations.len())) {
                Some((place, false, found)) => {
                    counts[place] += 1;
                    violations.extend(found);
                }
                Some((_, true, _)) | None if !self.open => {
                    violations.push(Violation::of(Rule::Expectation, span, "it is not expected here"));
                }
                Some(_) | None => {}
            }
        }
        for (expected, count) in self.children.iter().zip(counts) {
            if count < expected.least {
                let detail = format!("below it {expected} is there {count} times, not {}", expected.least);
                violations.push(Violation::of(Rule::Expectation, &tree.spans()[at], detail));
            }
        }
        violations
    }
}

fn is_like(pattern: &str, text: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == text, |beginning| text.starts_with(beginning))
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.service, self.name, self.kind)
    }
}

/// The greatest depth of an expectation.
const DEEPEST: usize = 100;

impl FromStr for Expectation {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut trees = Vec::new();
        // The lines that may still get children, with their indentation.
        let mut open: Vec<(usize, Expected)> = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let content = text.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let invalid = |problem: &str| Invalid { line, problem: problem.to_owned() };
            let indentation = text.len() - text.trim_start().len();
            close(&mut open, &mut trees, indentation);
            if open.is_empty() && indentation > 0 {
                return Err(invalid("it is indented and below nothing"));
            }
            if content == "..." {
                open.last_mut().ok_or_else(|| invalid("`...` is below nothing"))?.1.open = true;
            } else if open.len() == DEEPEST {
                return Err(invalid("it is too deep"));
            } else {
                open.push((indentation, content.parse().map_err(|problem: String| invalid(&problem))?));
            }
        }
        close(&mut open, &mut trees, 0);
        Ok(Self { trees })
    }
}

/// Moves lines that can get no more children to their parents.
fn close(open: &mut Vec<(usize, Expected)>, trees: &mut Vec<Expected>, indentation: usize) {
    while let Some((_, done)) = open.pop_if(|(other, _)| *other >= indentation) {
        match open.last_mut() {
            Some((_, parent)) => parent.children.push(done),
            None => trees.push(done),
        }
    }
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let mut columns = line.split("  ").map(str::trim).filter(|column| !column.is_empty());
        let (Some(service), Some(name), Some(kind)) = (columns.next(), columns.next(), columns.next()) else {
            return Err("a span is a service, a name and a kind, with two spaces between".to_owned());
        };
        let found = Kind::ALL.into_iter().find(|known| known.name() == kind);
        let kind = found.ok_or_else(|| format!("{kind} is no kind, such as SERVER"))?;
        let (service, name) = (service.to_owned(), name.to_owned());
        let mut expected = Self {
            service,
            name,
            kind,
            least: 1,
            most: Some(1),
            attributes: Vec::new(),
            children: Vec::new(),
            open: false,
        };
        for column in columns {
            let inside = |open, close| column.strip_prefix(open)?.strip_suffix(close);
            if let Some(count) = inside('{', '}') {
                (expected.least, expected.most) =
                    range(count).ok_or_else(|| format!("{column} is no number of times"))?;
            } else if let Some((key, value)) = inside('[', ']').and_then(|pair: &str| pair.split_once('=')) {
                expected.attributes.push((key.to_owned(), value.to_owned()));
            } else {
                return Err(format!("{column} is neither {{a number of times}} nor [an=attribute]"));
            }
        }
        Ok(expected)
    }
}

fn range(text: &str) -> Option<(usize, Option<usize>)> {
    let (least, most) = match text.split_once("..") {
        None => (text.parse().ok()?, Some(text.parse().ok()?)),
        Some((least, "")) => (least.parse().ok()?, None),
        Some((least, most)) => (least.parse().ok()?, Some(most.parse().ok()?)),
    };
    most.is_none_or(|most| least <= most).then_some((least, most))
}
