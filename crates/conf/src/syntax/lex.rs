//! One line into tokens. Every character of the line belongs to exactly one token.

use std::ops::Range;

use super::glyph::{self, Symbol};
use crate::table;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Spaces, tabs and the like.
    Blank,
    /// From `#` or `!` to the end of the line.
    Comment,
    /// A word without quotes.
    Bare,
    /// `"text"`.
    Double,
    /// `'text'`, which only commands know.
    Single,
    /// `{`
    Open,
    /// `}`
    Close,
}

/// A token: a range of the line's characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) range: Range<usize>,
    /// False for a quote that the end of the line ends.
    pub(crate) closed: bool,
}

impl Token {
    /// The text without its quotes.
    pub(crate) fn content(&self) -> Range<usize> {
        let Range { start, end } = self.range;
        match self.kind {
            TokenKind::Double | TokenKind::Single => start + 1..end - usize::from(self.closed),
            TokenKind::Blank
            | TokenKind::Comment
            | TokenKind::Bare
            | TokenKind::Open
            | TokenKind::Close => start..end,
        }
    }
}

/// Whether comments are still in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comments {
    /// A line as it was written.
    Present,
    /// An expanded line: a `#` in it came from `${_HASH}` and is text.
    Stripped,
}

/// Splits a line without its newline.
pub(crate) fn lex<S: Symbol>(line: &[S], comments: Comments) -> Tokens<'_, S> {
    Tokens { line, at: 0, keyword: None, comments }
}

/// The tokens of a line.
pub(crate) struct Tokens<'a, S> {
    line: &'a [S],
    at: usize,
    /// The first word since the line or the last brace began.
    keyword: Option<Range<usize>>,
    comments: Comments,
}

impl<S: Symbol> Iterator for Tokens<'_, S> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let rest = self.line.get(self.at..)?;
        let (kind, len, closed) = match rest.first()?.char() {
            '#' | '!' if self.comments == Comments::Present => {
                (TokenKind::Comment, rest.len(), true)
            }
            '{' => (TokenKind::Open, 1, true),
            '}' => (TokenKind::Close, 1, true),
            '"' => quoted(TokenKind::Double, rest),
            '\'' if self.in_command() => quoted(TokenKind::Single, rest),
            char if glyph::is_blank(char) => {
                let blank = |symbol: &&S| glyph::is_blank(symbol.char());
                (TokenKind::Blank, rest.iter().take_while(blank).count(), true)
            }
            _ => (TokenKind::Bare, bare(rest, self.comments), true),
        };
        let range = self.at..self.at + len;
        self.at = range.end;
        match kind {
            TokenKind::Open | TokenKind::Close => self.keyword = None,
            TokenKind::Bare | TokenKind::Double | TokenKind::Single => {
                self.keyword.get_or_insert_with(|| range.clone());
            }
            TokenKind::Blank | TokenKind::Comment => {}
        }
        Some(Token { kind, range, closed })
    }
}

impl<S: Symbol> Tokens<'_, S> {
    fn in_command(&self) -> bool {
        let keyword = self.keyword.clone().and_then(|range| self.line.get(range));
        // Single quotes count only where a command, or a pattern, is split into words again.
        keyword.is_some_and(|keyword| {
            let name: String = keyword.iter().map(|symbol| symbol.char()).collect();
            name == "regex" || table::takes_command(&name)
        })
    }
}

fn bare<S: Symbol>(rest: &[S], comments: Comments) -> usize {
    let mut len = 0;
    while let Some(symbol) = rest.get(len) {
        match symbol.char() {
            '$' => len += rest.get(len..).and_then(braced_reference).unwrap_or(1),
            '{' | '}' | '"' => break,
            '#' | '!' if comments == Comments::Present => break,
            char if glyph::is_blank(char) => break,
            _ => len += 1,
        }
    }
    len
}

/// The length of a `${NAME ...}` at the start: its braces belong to it and open no block.
pub(crate) fn braced_reference<S: Symbol>(rest: &[S]) -> Option<usize> {
    let inside = glyph::strip(rest, "${")?;
    let (name, tail) = glyph::split(inside, |char| {
        !(char.is_ascii_alphanumeric() || matches!(char, '_' | ' ' | '-' | ':' | '.' | '/'))
    });
    let first = name.first()?.char();
    ((first.is_ascii_alphabetic() || first == '_') && tail.first()?.char() == '}')
        .then_some(name.len() + 3)
}

/// A backslash shelters the next character, so that `\"` stays inside.
fn quoted<S: Symbol>(kind: TokenKind, rest: &[S]) -> (TokenKind, usize, bool) {
    let quote = rest.first().map(|symbol| symbol.char());
    let mut escaped = false;
    for (at, symbol) in rest.iter().enumerate().skip(1) {
        if escaped {
            escaped = false;
        } else if symbol.char() == '\\' {
            escaped = true;
        } else if Some(symbol.char()) == quote {
            return (kind, at + 1, true);
        }
    }
    (kind, rest.len(), false)
}
