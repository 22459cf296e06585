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

/// A character of a line. Bytes do as well as glyphs: only ASCII has a meaning to the language,
/// and no byte of a longer character is ASCII.
pub(crate) trait Symbol: Copy {
    fn char(self) -> char;
}

impl Symbol for Glyph {
    fn char(self) -> char {
        self.char
    }
}

impl Symbol for u8 {
    fn char(self) -> char {
        char::from(self)
    }
}

/// The characters of `bytes`, which start at offset `base` of the file. Each byte that is no
/// UTF-8 becomes one U+FFFD.
pub(crate) fn decode(file: FileId, base: usize, bytes: &[u8]) -> Vec<Glyph> {
    let mut glyphs = Vec::with_capacity(bytes.len());
    let mut start = base;
    let mut push = |char: char, len: usize| {
        let span = Span::new(file, start..start + len);
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

/// The definition that these glyphs came from, if any did; of several, the first.
pub(crate) fn definition(glyphs: &[Glyph]) -> Option<Span> {
    let mut definitions = glyphs.iter().filter_map(|glyph| glyph.definition);
    let first = definitions.next()?;
    Some(definitions.take_while(|next| next.file == first.file).fold(first, |joined, next| {
        if next.start == joined.end { joined.to(next) } else { joined }
    }))
}

/// The configuration's blanks: space, tab, form feed, CR, vertical tab.
pub(crate) fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\x0b' | '\x0c' | '\r')
}

pub(crate) fn trim_start<S: Symbol>(line: &[S]) -> &[S] {
    let blanks = line.iter().take_while(|symbol| is_blank(symbol.char())).count();
    line.get(blanks..).unwrap_or_default()
}

pub(crate) fn trim<S: Symbol>(line: &[S]) -> &[S] {
    let line = trim_start(line);
    let blanks = line.iter().rev().take_while(|symbol| is_blank(symbol.char())).count();
    line.get(..line.len() - blanks).unwrap_or_default()
}

/// Whether the line starts with `prefix`; then what follows.
pub(crate) fn strip<'a, S: Symbol>(line: &'a [S], prefix: &str) -> Option<&'a [S]> {
    let mut rest = line;
    for char in prefix.chars() {
        let (first, tail) = rest.split_first()?;
        if first.char() != char {
            return None;
        }
        rest = tail;
    }
    Some(rest)
}

/// Up to the first character that `at` accepts, and the rest with it.
pub(crate) fn split<S: Symbol>(line: &[S], at: impl Fn(char) -> bool) -> (&[S], &[S]) {
    let len = line.iter().position(|symbol| at(symbol.char())).unwrap_or(line.len());
    line.split_at(len)
}
