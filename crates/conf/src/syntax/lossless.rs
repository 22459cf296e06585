//! The tokens of one file as it lies on disk, nothing left out and nothing expanded.

use super::lex::{Comments, TokenKind, lex};
use crate::source::{FileId, Source, Span};

/// A token of a file, or the newline that ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxToken {
    /// What it is; `None` is a newline.
    pub kind: Option<TokenKind>,
    /// Its bytes.
    pub span: Span,
}

/// All tokens of a file: their bytes, one after the other, are the file.
#[must_use]
pub fn tokens(file: FileId, source: &Source) -> Vec<SyntaxToken> {
    let mut tokens = Vec::new();
    let mut start = 0;
    for line in source.bytes().split_inclusive(|&byte| byte == b'\n') {
        let body = line.strip_suffix(b"\n").unwrap_or(line);
        tokens.extend(lex(body, Comments::Present).map(|token| SyntaxToken {
            kind: Some(token.kind),
            span: Span::new(file, start + token.range.start..start + token.range.end),
        }));
        let end = start + line.len();
        if body.len() < line.len() {
            let span = Span::new(file, start + body.len()..end);
            tokens.push(SyntaxToken { kind: None, span });
        }
        start = end;
    }
    tokens
}
