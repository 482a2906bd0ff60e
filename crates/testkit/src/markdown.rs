//! The code blocks of a Markdown page, for tests that run them.

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The text after the opening fence.
    pub language: String,
    pub text: String,
}

/// The blocks of a page, in order.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some(Block { language: language.to_owned(), text: String::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn a_page_is_read_as_its_blocks() {
    let block = |language: &str, text: &str| Block { language: language.to_owned(), text: text.to_owned() };
    let page = "Words.\n\n```rust\nlet a = 1;\n```\n\nMore.\n\n```text\n\n```\n";
    assert_eq!(blocks(page), [block("rust", "let a = 1;\n"), block("text", "\n")]);
}
