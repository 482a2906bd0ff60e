//! Traces: the spans received, the tree they form, and its comparison with an expected one.

mod render;
mod shape;
mod span;

use std::collections::BTreeSet;
use std::fmt;

use anyhow::bail;

pub use shape::{Shape, diff, span};
pub(crate) use span::attributes;
pub use span::{Attributes, Event, Kind, Link, Span, Status, spans};

/// The spans of one trace, by start time.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    pub spans: Vec<Span>,
}

impl Trace {
    /// Spans of one trace, in any order. A span that was exported twice counts once.
    pub fn new(mut spans: Vec<Span>) -> Self {
        spans.sort_by(|a, b| (a.start, &a.span_id).cmp(&(b.start, &b.span_id)));
        let mut seen = BTreeSet::new();
        spans.retain(|span| seen.insert(span.span_id.clone()));
        Self { spans }
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Spans without a parent.
    pub fn roots(&self) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.parent_span_id.is_none()).collect()
    }

    /// Spans whose parent was not received.
    pub fn orphans(&self) -> Vec<&Span> {
        let ids: BTreeSet<&str> = self.spans.iter().map(|span| span.span_id.as_str()).collect();
        let is_orphan = |span: &&Span| span.parent_span_id.as_deref().is_some_and(|parent| !ids.contains(parent));
        self.spans.iter().filter(is_orphan).collect()
    }

    /// Children of a span, by start time.
    pub fn children(&self, span_id: &str) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.parent_span_id.as_deref() == Some(span_id)).collect()
    }

    /// A span with all that is below it.
    #[must_use]
    pub fn subtree(&self, top: &Span) -> Self {
        let mut spans = vec![top.clone()];
        let mut next = 0;
        while let Some(parent) = spans.get(next).map(|span| span.span_id.clone()) {
            spans.extend(self.children(&parent).into_iter().cloned());
            next += 1;
        }
        Self::new(spans)
    }

    /// Spans of this name, of any kind.
    pub fn named(&self, name: &str) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.name == name).collect()
    }

    /// The one span of this service, name and kind.
    ///
    /// # Errors
    /// When there is none or more than one; the message shows the trace.
    pub fn one(&self, service: &str, name: &str, kind: Kind) -> anyhow::Result<&Span> {
        let matches = |span: &&Span| span.service == service && span.name == name && span.kind == kind;
        let found: Vec<&Span> = self.spans.iter().filter(matches).collect();
        match found[..] {
            [span] => Ok(span),
            _ => bail!("{} spans are {service} {name} {kind}, expected one\n{self}", found.len()),
        }
    }

    /// Spans that ended in an error.
    pub fn errors(&self) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.status.is_error()).collect()
    }

    /// The trees of the trace: one for each root and each orphan. A submission that continues a caller's
    /// own trace is such an orphan's tree, for the caller's span is not among ours.
    pub fn shape(&self) -> Vec<Shape> {
        self.roots().into_iter().chain(self.orphans()).map(|top| self.shape_of(top)).collect()
    }

    fn shape_of(&self, top: &Span) -> Shape {
        let children = self.children(&top.span_id).into_iter().map(|child| self.shape_of(child));
        span(&top.service, &top.name, top.kind).children(children)
    }

    /// Whether the trace is exactly one tree of the expected shape.
    pub fn has_shape(&self, expected: &Shape) -> bool {
        diff(expected, &self.shape()).is_none()
    }

    /// Checks that the trace is exactly one tree of the expected shape.
    ///
    /// # Errors
    /// When it is not; the message shows the difference and the trace.
    pub fn assert_shape(&self, expected: &Shape) -> anyhow::Result<()> {
        match diff(expected, &self.shape()) {
            None => Ok(()),
            Some(diff) => bail!("the trace is not as expected; - missing, + unexpected:\n{diff}\n{self}"),
        }
    }

    /// The trace as a table whose second column is the tree.
    pub fn render(&self) -> String {
        render::render(self)
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render())
    }
}
