//! The layout of a file: indentation, blanks and line breaks, and nothing else.
//!
//! A file is laid out by its own text: no include is followed, nothing is expanded. Line breaks
//! come and go only next to braces, so the words and braces stay the same row whatever they mean,
//! even where braces are missing. What is bound to its line stays one line as it was written:
//! conditions, loops, includes, definitions, lines with a reference, lines with an open quote.

mod layout;
mod line;
mod same;

use crate::{
    source::Sources,
    syntax::{SyntaxToken, tokens},
};
use layout::Layout;
use line::Line;
pub use same::same_meaning;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The file laid out anew. Laying out the result changes nothing, and no comment is lost.
///
/// ```
/// let text = "vrrp_instance V { state BACKUP # both\n}";
/// let laid_out = "vrrp_instance V {\n    state BACKUP  # both\n}\n";
/// assert_eq!(standfast_conf::format(text.as_bytes()), laid_out.as_bytes());
/// ```
#[must_use]
pub fn format(bytes: &[u8]) -> Vec<u8> {
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut sources = Sources::default();
    let file = sources.add("".into(), text.to_vec());
    let tokens = sources.source(file).map(|source| tokens(file, source)).unwrap_or_default();
    let mut layout = Layout::default();
    let mut start = 0;
    for line in tokens.split_inclusive(|token| token.kind.is_none()) {
        let newline = line.last().filter(|last| last.kind.is_none());
        let end = line.last().map_or(start, |last: &SyntaxToken| last.span.range().end);
        let body = start..newline.map_or(end, |newline| newline.span.range().start);
        layout.line(&Line::new(text, body, line));
        start = end;
    }
    let mut laid_out = layout.print();
    if laid_out.starts_with(BYTE_ORDER_MARK) {
        // The first word begins with another mark, which is text only behind the first.
        laid_out.splice(..0, BYTE_ORDER_MARK.iter().copied());
    }
    laid_out
}

#[cfg(test)]
mod tests;
