//! Characters that remember where they came from, through every expansion.

use crate::source::{FileId, Span};

/// One character with its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Glyph {
    pub(crate) char: char,
    /// Where it is used: its own bytes, or the whole reference that brought it here.
    pub(crate) span: Span,
    /// Where it was defined, when a reference brought it here.
    pub(crate) definition: Option<Span>,
}

/// The characters of `bytes`, which start at offset `base` of the file. Each byte that is no
/// UTF-8 becomes one U+FFFD.
pub(crate) fn decode(file: FileId, base: usize, bytes: &[u8]) -> Vec<Glyph> {
    let mut glyphs = Vec::with_capacity(bytes.len());
    let mut start = base;
    let mut push = |char: char, len: usize| {
        let span = Span { file, start, end: start + len };
        glyphs.push(Glyph { char, span, definition: None });
        start += len;
    };
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|char| push(char, char.len_utf8()));
        chunk.invalid().iter().for_each(|_| push(char::REPLACEMENT_CHARACTER, 1));
    }
    glyphs
}

pub(crate) fn text(glyphs: &[Glyph]) -> String {
    glyphs.iter().map(|glyph| glyph.char).collect()
}

/// From the first glyph to the last.
pub(crate) fn span(glyphs: &[Glyph]) -> Option<Span> {
    Some(glyphs.first()?.span.to(glyphs.last()?.span))
}

/// The definition that these glyphs came from, if any did.
pub(crate) fn definition(glyphs: &[Glyph]) -> Option<Span> {
    glyphs.iter().find_map(|glyph| glyph.definition)
}

/// The configuration's blanks: space, tab, form feed, CR, vertical tab.
pub(crate) fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\x0b' | '\x0c' | '\r')
}

pub(crate) fn trim_start(glyphs: &[Glyph]) -> &[Glyph] {
    let blanks = glyphs.iter().take_while(|glyph| is_blank(glyph.char)).count();
    glyphs.get(blanks..).unwrap_or_default()
}

pub(crate) fn trim(glyphs: &[Glyph]) -> &[Glyph] {
    let glyphs = trim_start(glyphs);
    let blanks = glyphs.iter().rev().take_while(|glyph| is_blank(glyph.char)).count();
    glyphs.get(..glyphs.len() - blanks).unwrap_or_default()
}

/// Whether the glyphs start with `prefix`; then what follows.
pub(crate) fn strip<'a>(glyphs: &'a [Glyph], prefix: &str) -> Option<&'a [Glyph]> {
    let mut rest = glyphs;
    for char in prefix.chars() {
        let (first, tail) = rest.split_first()?;
        if first.char != char {
            return None;
        }
        rest = tail;
    }
    Some(rest)
}

/// Up to the first glyph that `at` accepts, and the rest with it.
pub(crate) fn split(glyphs: &[Glyph], at: impl Fn(char) -> bool) -> (&[Glyph], &[Glyph]) {
    let len = glyphs.iter().position(|glyph| at(glyph.char)).unwrap_or(glyphs.len());
    glyphs.split_at(len)
}
