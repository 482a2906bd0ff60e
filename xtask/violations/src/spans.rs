//! Spans that are entered by hand.

use tracing::Span;

pub fn enter(span: &Span) {
    let _guard = span.enter();
}

pub fn entered(span: Span) {
    let _guard = span.entered();
}
