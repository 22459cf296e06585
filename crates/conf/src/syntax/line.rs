//! Lines that words are taken from: of bytes as they lie in the file, or of glyphs.

use std::{ops::Range, sync::Arc};

use super::glyph::{self, Glyph, Symbol};
use crate::{
    source::{FileId, Span},
    text::{Shared, Text},
};

/// A line that knows its place.
pub(crate) trait Line {
    type Symbol: Symbol;

    fn symbols(&self) -> &[Self::Symbol];

    fn span(&self, range: Range<usize>) -> Option<Span>;

    fn text(&self, range: Range<usize>) -> Text;
}

/// A line that nothing has to be replaced in; most lines are such.
pub(crate) struct Plain<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) file: FileId,
    pub(crate) start: usize,
    pub(crate) bytes: &'a [u8],
}

impl Plain<'_> {
    fn in_file(&self, range: Range<usize>) -> Range<usize> {
        self.start + range.start..self.start + range.end
    }
}

impl Line for Plain<'_> {
    type Symbol = u8;

    fn symbols(&self) -> &[u8] {
        self.bytes
    }

    fn span(&self, range: Range<usize>) -> Option<Span> {
        Some(Span::new(self.file, self.in_file(range)))
    }

    fn text(&self, range: Range<usize>) -> Text {
        Text::part(self.shared, self.in_file(range))
    }
}

/// A line after the expansions.
pub(crate) struct Expanded<'a>(pub(crate) &'a [Glyph]);

impl Line for Expanded<'_> {
    type Symbol = Glyph;

    fn symbols(&self) -> &[Glyph] {
        self.0
    }

    fn span(&self, range: Range<usize>) -> Option<Span> {
        glyph::span(self.0.get(range)?)
    }

    fn text(&self, range: Range<usize>) -> Text {
        let glyphs = self.0.get(range).unwrap_or_default();
        Text::expanded(glyph::text(glyphs), glyph::definition(glyphs))
    }
}
