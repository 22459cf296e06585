//! One line into tokens. Every glyph of the line belongs to exactly one token.

use super::glyph::{self, Glyph};

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

/// A token: a range of the line's glyphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: TokenKind,
    pub(crate) glyphs: &'a [Glyph],
    /// False for a quote that the end of the line ends.
    pub(crate) closed: bool,
}

impl Token<'_> {
    /// The text without its quotes.
    pub(crate) fn content(&self) -> &[Glyph] {
        match self.kind {
            TokenKind::Double | TokenKind::Single => {
                let end = self.glyphs.len().saturating_sub(usize::from(self.closed));
                self.glyphs.get(1..end).unwrap_or_default()
            }
            TokenKind::Blank
            | TokenKind::Comment
            | TokenKind::Bare
            | TokenKind::Open
            | TokenKind::Close => self.glyphs,
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

/// Keywords whose value is a command; only there do single quotes count.
const COMMANDS: &[&str] = &[
    "lvs_notify_fifo_script",
    "misc_path",
    "notify",
    "notify_backup",
    "notify_deleted",
    "notify_down",
    "notify_fault",
    "notify_fifo_script",
    "notify_master",
    "notify_master_rx_lower_pri",
    "notify_stop",
    "notify_up",
    "quorum_down",
    "quorum_up",
    "regex",
    "script",
    "shutdown_script",
    "startup_script",
    "vrrp_notify_fifo_script",
];

/// Splits a line without its newline.
pub(crate) fn lex(line: &[Glyph], comments: Comments) -> Vec<Token<'_>> {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut rest = line;
    // The first word since the line or the last brace began.
    let mut keyword: Option<&[Glyph]> = None;
    while let Some(first) = rest.first() {
        let command = || keyword.is_some_and(|word| COMMANDS.contains(&glyph::text(word).as_str()));
        let (kind, len, closed) = match first.char {
            '#' | '!' if comments == Comments::Present => (TokenKind::Comment, rest.len(), true),
            '{' => (TokenKind::Open, 1, true),
            '}' => (TokenKind::Close, 1, true),
            '"' => quoted(TokenKind::Double, rest),
            '\'' if command() => quoted(TokenKind::Single, rest),
            char if glyph::is_blank(char) => {
                let len = rest.iter().take_while(|glyph| glyph::is_blank(glyph.char)).count();
                (TokenKind::Blank, len, true)
            }
            _ => (TokenKind::Bare, bare(rest, comments), true),
        };
        let (glyphs, tail) = rest.split_at(len.clamp(1, rest.len()));
        match kind {
            TokenKind::Open | TokenKind::Close => keyword = None,
            TokenKind::Bare | TokenKind::Double | TokenKind::Single => {
                keyword = keyword.or(Some(glyphs));
            }
            TokenKind::Blank | TokenKind::Comment => {}
        }
        tokens.push(Token { kind, glyphs, closed });
        rest = tail;
    }
    tokens
}

fn bare(rest: &[Glyph], comments: Comments) -> usize {
    let mut len = 0;
    while let Some(glyph) = rest.get(len) {
        let reference = rest.get(len..).and_then(braced_reference);
        match glyph.char {
            '$' if reference.is_some() => len += reference.unwrap_or(1),
            '{' | '}' | '"' => break,
            '#' | '!' if comments == Comments::Present => break,
            char if glyph::is_blank(char) => break,
            _ => len += 1,
        }
    }
    len
}

/// The length of a `${NAME ...}` at the start: its braces belong to it and open no block.
pub(crate) fn braced_reference(rest: &[Glyph]) -> Option<usize> {
    let inside = glyph::strip(rest, "${")?;
    let (name, tail) = glyph::split(inside, |char| {
        !(char.is_ascii_alphanumeric() || matches!(char, '_' | ' ' | '-' | ':' | '.' | '/'))
    });
    (name.first().is_some_and(|first| first.char.is_ascii_alphabetic() || first.char == '_')
        && tail.first()?.char == '}')
        .then_some(name.len() + 3)
}

/// A backslash shelters the next character, so that `\"` stays inside.
fn quoted(kind: TokenKind, rest: &[Glyph]) -> (TokenKind, usize, bool) {
    let quote = rest.first().map(|glyph| glyph.char);
    let mut escaped = false;
    for (at, glyph) in rest.iter().enumerate().skip(1) {
        if escaped {
            escaped = false;
        } else if glyph.char == '\\' {
            escaped = true;
        } else if Some(glyph.char) == quote {
            return (kind, at + 1, true);
        }
    }
    (kind, rest.len(), false)
}
