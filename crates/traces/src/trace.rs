//! The spans of one trace, and the comparison of their tree with an expected one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::{Kind, Shape, Span, Tree, diff, render, span};

/// The greatest depth of a shape. No test expects a deeper one.
const DEEPEST: usize = 200;

/// The spans of one trace, by start time.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    pub spans: Vec<Span>,
}

/// A trace differs from the expected one. The text shows the difference.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Mismatch(String);

impl Trace {
    /// Spans of one trace, in any order. A span that was exported twice counts once.
    pub fn new(mut spans: Vec<Span>) -> Self {
        spans.sort_by(|a, b| (a.start, &a.span_id).cmp(&(b.start, &b.span_id)));
        let mut seen = BTreeSet::new();
        spans.retain(|span| seen.insert(span.span_id.clone()));
        for span in &mut spans {
            // The parent is untrusted and may not exist; only the link is certain. If it was not received, the trace
            // begins here.
            if span.is_adopted() && span.parent_span_id.as_ref().is_some_and(|parent| !seen.contains(parent)) {
                span.parent_span_id = None;
            }
        }
        Self { spans }
    }

    /// Groups spans of any traces by trace id.
    pub fn group(spans: Vec<Span>) -> Vec<Self> {
        let mut traces: BTreeMap<String, Vec<Span>> = BTreeMap::new();
        for span in spans {
            traces.entry(span.trace_id.clone()).or_default().push(span);
        }
        traces.into_values().map(Self::new).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The trace's id; empty without spans.
    pub fn id(&self) -> &str {
        self.spans.first().map_or("", |span| &span.trace_id)
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

    /// Children of a span, by start time. To get those of many spans, make a [`Tree`].
    pub fn children(&self, span_id: &str) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.parent_span_id.as_deref() == Some(span_id)).collect()
    }

    /// A span with all its descendants.
    #[must_use]
    pub fn subtree(&self, top: &Span) -> Self {
        let tree = Tree::new(&self.spans);
        let top = self.spans.iter().position(|span| span.span_id == top.span_id);
        Self::new(top.into_iter().flat_map(|top| tree.below(top)).map(|at| self.spans[at].clone()).collect())
    }

    /// Spans of this name, of any kind.
    pub fn named(&self, name: &str) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.name == name).collect()
    }

    /// The one span of this service, name and kind.
    ///
    /// # Errors
    /// When there is none or more than one; the message shows the trace.
    pub fn one(&self, service: &str, name: &str, kind: Kind) -> Result<&Span, Mismatch> {
        let matches = |span: &&Span| span.service == service && span.name == name && span.kind == kind;
        let found: Vec<&Span> = self.spans.iter().filter(matches).collect();
        match found[..] {
            [span] => Ok(span),
            _ => Err(Mismatch(format!("{} spans are {service} {name} {kind}, expected one\n{self}", found.len()))),
        }
    }

    /// Spans that ended in an error.
    pub fn errors(&self) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.status.is_error()).collect()
    }

    /// The trees of the trace, one for each root and each orphan. A request that continues a caller's trace is such an
    /// orphan, because the caller's span is not here. Levels beyond 200 are left out.
    pub fn shape(&self) -> Vec<Shape> {
        let tree = Tree::new(&self.spans);
        tree.tops().iter().map(|top| self.shape_of(&tree, *top)).collect()
    }

    fn shape_of(&self, tree: &Tree<'_>, top: usize) -> Shape {
        let children = if tree.depth(top) < DEEPEST { tree.children(top) } else { &[] };
        let children = children.iter().map(|child| self.shape_of(tree, *child));
        let top = &self.spans[top];
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
    pub fn assert_shape(&self, expected: &Shape) -> Result<(), Mismatch> {
        match diff(expected, &self.shape()) {
            None => Ok(()),
            Some(diff) => {
                Err(Mismatch(format!("the trace is not as expected; - missing, + unexpected:\n{diff}\n{self}")))
            }
        }
    }

    /// The trace as a table whose second column is the tree.
    pub fn render(&self) -> String {
        render::render(&self.spans, None)
    }

    /// As [`Trace::render`], with a remark on the line of one span.
    pub fn render_with_remark(&self, span_id: &str, remark: &str) -> String {
        render::render(&self.spans, Some((span_id, remark)))
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Link;

    fn served(parent_span_id: &str) -> Span {
        let link = Link { trace_id: "stranger's".to_owned(), span_id: "page".to_owned(), ..Link::default() };
        Span {
            trace_id: "ours".to_owned(),
            span_id: "server".to_owned(),
            parent_span_id: Some(parent_span_id.to_owned()),
            links: vec![link],
            ..Span::default()
        }
    }

    fn page() -> Span {
        Span { trace_id: "ours".to_owned(), span_id: "page".to_owned(), ..Span::default() }
    }

    #[test]
    fn a_trace_begins_with_our_span_while_the_page_above_it_has_not_told_of_its_own() {
        let trace = Trace::new(vec![served("page")]);
        assert_eq!((trace.roots().len(), trace.orphans().len()), (1, 0));
        let trace = Trace::new(vec![served("page"), page()]);
        assert_eq!(trace.children("page").len(), 1);
    }

    #[test]
    fn a_parent_that_was_lost_is_missed() {
        let trace = Trace::new(vec![served("lost")]);
        assert_eq!((trace.roots().len(), trace.orphans().len()), (0, 1));
    }
}
