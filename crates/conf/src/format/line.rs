//! One line of a file: what it holds, and how much of it may be laid out anew.

use std::ops::Range;

use crate::syntax::{LINE_MAX, SyntaxToken, TokenKind};

/// A token with its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    pub(super) text: &'a [u8],
}

/// What a line says besides its comment.
#[derive(Debug)]
pub(super) enum Content<'a> {
    /// Nothing.
    Empty,
    /// Words and braces: the pieces that may stand on lines of their own.
    Pieces(Vec<Vec<u8>>),
    /// Something that has to stay one line, and its braces that count for the indentation.
    Whole { text: Vec<u8>, braces: Vec<TokenKind>, condition: Option<&'a [u8]> },
    /// `$NAME=VALUE`.
    Definition(&'a [u8]),
}

/// One line of a file, without its newline.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// All of it.
    pub(super) body: &'a [u8],
    pub(super) content: Content<'a>,
    pub(super) comment: Option<&'a [u8]>,
    /// The comment begins inside a word. A blank between them would hide the mistake.
    pub(super) glued: bool,
    /// It ends with a backslash, comment aside.
    pub(super) goes_on: bool,
}

impl<'a> Line<'a> {
    pub(super) fn new(text: &'a [u8], range: Range<usize>, tokens: &[SyntaxToken]) -> Self {
        let bytes = |range: Range<usize>| text.get(range).unwrap_or_default();
        let body = bytes(range);
        let mut tokens: Vec<Token<'_>> = tokens
            .iter()
            .filter_map(|token| {
                let text = bytes(token.span.range());
                Some(Token { kind: token.kind?, text })
            })
            .collect();
        let comment = tokens.pop_if(|token| token.kind == TokenKind::Comment);
        let glued = tokens.last().is_some_and(|last| last.kind == TokenKind::Bare);
        let length: usize = tokens.iter().map(|token| token.text.len()).sum();
        let code = trim(body.get(..length).unwrap_or_default());
        Self {
            body,
            content: content(code, &tokens),
            comment: comment.map(|token| trim_end(token.text)),
            glued: comment.is_some() && glued,
            goes_on: code.ends_with(b"\\"),
        }
    }

    /// The line as it is, but for blanks at its end. A line that keepalived skips for its length
    /// must not become short enough to be read.
    pub(super) fn raw(&self) -> &'a [u8] {
        if self.body.len() > LINE_MAX { self.body } else { trim_end(self.body) }
    }

    /// Whether it is skipped for a NUL byte.
    pub(super) fn has_nul(&self) -> bool {
        self.body.contains(&0)
    }
}

/// Sorts out what stands on a line; `code` is the line without its comment and outer blanks.
fn content<'a>(code: &'a [u8], tokens: &[Token<'a>]) -> Content<'a> {
    if code.is_empty() {
        return Content::Empty;
    }
    let (condition, rest) = conditions(code);
    if is_definition(rest) {
        return Content::Definition(code);
    }
    let whole = |text| Content::Whole { text, braces: braces(rest, tokens), condition };
    if condition.is_some() || is_directive(rest) || !tokens.iter().all(is_closed) {
        return whole(code.to_vec());
    }
    if tokens.iter().any(|token| refers(token.text)) {
        return whole(spaced(tokens));
    }
    let pieces = pieces(tokens);
    // What means nothing here may mean something at the start of a line or before a blank.
    if pieces.iter().any(|piece| is_special(piece)) {
        return whole(code.to_vec());
    }
    Content::Pieces(pieces)
}

/// What stands behind the `@ID`s of a line, and the first of them.
fn conditions(code: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let mut first = None;
    let mut rest = code;
    while rest.starts_with(b"@") {
        let (id, behind) = split_at_blank(rest);
        first = first.or(Some(id));
        rest = trim(behind);
    }
    (first, rest)
}

fn is_definition(code: &[u8]) -> bool {
    let Some(name) = code.strip_prefix(b"$") else { return false };
    let length = name.iter().take_while(|byte| is_name(**byte)).count();
    name.first().is_some_and(|first| is_name(*first) && !first.is_ascii_digit())
        && name.get(length) == Some(&b'=')
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_loop(code: &[u8]) -> bool {
    [b"~SEQ(".as_slice(), b"~SEQx(", b"~LST("].iter().any(|head| code.starts_with(head))
}

fn is_include(code: &[u8]) -> bool {
    let (keyword, pattern) = split_at_blank(code);
    let keywords: [&[u8]; 6] =
        [b"include", b"includer", b"includem", b"includew", b"includeb", b"includea"];
    keywords.contains(&keyword) && !trim(pattern).is_empty()
}

fn is_directive(code: &[u8]) -> bool {
    is_loop(code) || is_include(code)
}

/// Whether the start of a line gives the rest of it a meaning that is not just words.
pub(super) fn is_special(code: &[u8]) -> bool {
    code.starts_with(b"@") || is_definition(code) || is_directive(code)
}

/// Whether it may hold a reference.
fn refers(text: &[u8]) -> bool {
    text.windows(2).any(|pair| {
        matches!(pair, [b'$', next] if *next == b'{' || *next == b'_' || next.is_ascii_alphabetic())
    })
}

/// Whether a quote that the token opens is closed in it.
fn is_closed(token: &Token<'_>) -> bool {
    let quote = match token.kind {
        TokenKind::Double => b'"',
        TokenKind::Single => b'\'',
        TokenKind::Blank
        | TokenKind::Comment
        | TokenKind::Bare
        | TokenKind::Open
        | TokenKind::Close => return true,
    };
    let mut escaped = false;
    token.text.iter().skip(1).any(|byte| {
        let closes = !escaped && *byte == quote;
        escaped = !escaped && *byte == b'\\';
        closes
    })
}

/// The braces that open and close blocks: not those of a file pattern or a loop's arguments.
fn braces(rest: &[u8], tokens: &[Token<'_>]) -> Vec<TokenKind> {
    let arguments = if is_include(rest) {
        tokens.len()
    } else if is_loop(rest) {
        tokens.iter().take_while(|token| !token.text.contains(&b')')).count()
    } else {
        0
    };
    let kinds = tokens.iter().skip(arguments).map(|token| token.kind);
    kinds.filter(|kind| matches!(kind, TokenKind::Open | TokenKind::Close)).collect()
}

/// The line with one blank where there are several, up to the first reference: what that stands
/// for may open a quote.
fn spaced(tokens: &[Token<'_>]) -> Vec<u8> {
    let known = tokens.iter().take_while(|token| !refers(token.text)).count();
    let mut text = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let blank = token.kind == TokenKind::Blank && at < known;
        text.extend_from_slice(if blank { b" " } else { token.text });
    }
    trim(&text).to_vec()
}

/// The line broken at its braces, one blank between words. Words that touch stay together.
fn pieces(tokens: &[Token<'_>]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<u8> = Vec::new();
    let mut blank = false;
    for token in tokens {
        match token.kind {
            TokenKind::Blank | TokenKind::Comment => {
                blank = true;
                continue;
            }
            TokenKind::Bare | TokenKind::Double | TokenKind::Single => {
                if blank && !piece.is_empty() {
                    piece.push(b' ');
                }
                piece.extend_from_slice(token.text);
            }
            TokenKind::Open => {
                open(&mut piece);
                pieces.push(std::mem::take(&mut piece));
            }
            TokenKind::Close => {
                pieces.extend(Some(std::mem::take(&mut piece)).filter(|piece| !piece.is_empty()));
                pieces.push(b"}".to_vec());
            }
        }
        blank = false;
    }
    pieces.extend(Some(piece).filter(|piece| !piece.is_empty()));
    pieces
}

/// Puts a brace behind a keyword and its parameters.
pub(super) fn open(piece: &mut Vec<u8>) {
    if !piece.is_empty() {
        piece.push(b' ');
    }
    piece.push(b'{');
}

/// The configuration's blanks.
fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0b | 0x0c | b'\r')
}

fn split_at_blank(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(is_blank).unwrap_or(text.len()))
}

fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().take_while(|byte| is_blank(byte)).count();
    trim_end(text.get(start..).unwrap_or_default())
}

fn trim_end(text: &[u8]) -> &[u8] {
    let blanks = text.iter().rev().take_while(|byte| is_blank(byte)).count();
    text.get(..text.len() - blanks).unwrap_or_default()
}
