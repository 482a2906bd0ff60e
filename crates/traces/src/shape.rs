//! The shape of a trace: which service does what inside of what, without times and ids.

use std::fmt;

use termtree::Tree;

use crate::Kind;

/// A span with its descendants. The children are a multiset, so their order does not matter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    pub service: String,
    pub name: String,
    pub kind: Kind,
    children: Vec<Shape>,
}

/// A span without children; add them with [`Shape::child`] and [`Shape::children`].
pub fn span(service: &str, name: &str, kind: Kind) -> Shape {
    Shape { service: service.to_owned(), name: name.to_owned(), kind, children: Vec::new() }
}

impl Shape {
    /// Adds a child.
    #[must_use]
    pub fn child(mut self, child: Shape) -> Self {
        self.children.push(child);
        self
    }

    /// Adds children.
    #[must_use]
    pub fn children(mut self, children: impl IntoIterator<Item = Shape>) -> Self {
        self.children.extend(children);
        self
    }

    /// Adds `count` children of the same shape.
    #[must_use]
    pub fn times(self, count: usize, child: &Shape) -> Self {
        self.children(std::iter::repeat_n(child.clone(), count))
    }

    /// Its children.
    pub fn within(&self) -> &[Shape] {
        &self.children
    }

    /// How many spans the tree has.
    pub fn size(&self) -> usize {
        1 + self.children.iter().map(Shape::size).sum::<usize>()
    }

    /// The same tree with siblings in a fixed order.
    fn sorted(&self) -> Self {
        let mut shape = self.clone();
        shape.children = shape.children.iter().map(Shape::sorted).collect();
        shape.children.sort();
        shape
    }

    fn is_same_span(&self, other: &Self) -> bool {
        (&self.service, &self.name, self.kind) == (&other.service, &other.name, other.kind)
    }

    fn tree(&self, mark: char) -> Tree<String> {
        let leaves = self.children.iter().map(|child| child.tree(mark));
        Tree::new(self.label(mark)).with_leaves(leaves)
    }

    fn label(&self, mark: char) -> String {
        let text = format!("{}  {}  {}", self.service, self.name, self.kind);
        if mark == ' ' { text } else { format!("{mark} {text}") }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tree(' ').fmt(f)
    }
}

/// Compares the trees of a trace with the expected one.
///
/// `None` when they are equal. Otherwise one tree in which `-` marks missing spans and `+` unexpected ones.
pub fn diff(expected: &Shape, actual: &[Shape]) -> Option<String> {
    let expected = [expected.sorted()];
    let actual: Vec<Shape> = actual.iter().map(Shape::sorted).collect();
    if expected == *actual {
        return None;
    }
    Some(compare(&expected, &actual).iter().map(ToString::to_string).collect())
}

/// Pairs equal trees first, then trees with the same top span. The remaining ones are missing or unexpected.
fn compare(expected: &[Shape], actual: &[Shape]) -> Vec<Tree<String>> {
    let mut unpaired: Vec<&Shape> = actual.iter().collect();
    let mut take = |matches: &dyn Fn(&Shape) -> bool| {
        let position = unpaired.iter().position(|shape| matches(shape))?;
        Some(unpaired.remove(position))
    };
    let equal: Vec<Option<&Shape>> = expected.iter().map(|wanted| take(&|shape| shape == wanted)).collect();
    let mut trees = Vec::new();
    for (wanted, equal) in expected.iter().zip(equal) {
        trees.push(match equal.or_else(|| take(&|shape| shape.is_same_span(wanted))) {
            Some(found) if found == wanted => wanted.tree(' '),
            Some(found) => Tree::new(wanted.label(' ')).with_leaves(compare(&wanted.children, &found.children)),
            None => wanted.tree('-'),
        });
    }
    trees.extend(unpaired.into_iter().map(|shape| shape.tree('+')));
    trees
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Shape {
        let insert = span("store", "INSERT", Kind::Client);
        span("front", "POST /orders", Kind::Server)
            .child(span("front", "save", Kind::Client).times(2, &insert))
            .child(span("front", "hint", Kind::Producer))
    }

    #[test]
    fn the_order_of_siblings_does_not_matter() {
        let insert = span("store", "INSERT", Kind::Client);
        let other_order = span("front", "POST /orders", Kind::Server)
            .child(span("front", "hint", Kind::Producer))
            .child(span("front", "save", Kind::Client).child(insert.clone()).child(insert));
        assert_eq!(diff(&expected(), &[other_order]), None);
    }

    #[test]
    fn the_number_of_identical_siblings_matters() {
        let insert = span("store", "INSERT", Kind::Client);
        let once = span("front", "POST /orders", Kind::Server)
            .child(span("front", "hint", Kind::Producer))
            .child(span("front", "save", Kind::Client).child(insert));
        assert_eq!(
            diff(&expected(), &[once]).as_deref(),
            Some(
                "front  POST /orders  SERVER\n\
                 ├── front  hint  PRODUCER\n\
                 └── front  save  CLIENT\n\
                 \u{20}   ├── store  INSERT  CLIENT\n\
                 \u{20}   └── - store  INSERT  CLIENT\n"
            )
        );
    }

    #[test]
    fn an_orphan_beside_the_whole_tree_is_unexpected() {
        let orphan = span("store", "COMMIT", Kind::Client);
        let text = diff(&expected(), &[expected(), orphan]).unwrap_or_default();
        assert!(text.ends_with("\n+ store  COMMIT  CLIENT\n"), "{text}");
    }
}
