//! A text with its lines, and places in it: bytes here, lines and characters in the editor.

use std::ops::Range as Bytes;

use crate::protocol::{Position, Range};

/// The unit in which the editor counts characters of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 code units, the protocol's default.
    Utf16,
}

impl Encoding {
    /// Its name in the protocol.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16 => "utf-16",
        }
    }

    fn units(self, char: char) -> usize {
        match self {
            Self::Utf8 => char.len_utf8(),
            Self::Utf16 => char.len_utf16(),
        }
    }
}

/// A text and where its lines start.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    text: String,
    starts: Vec<usize>,
    encoding: Encoding,
}

impl Text {
    pub(crate) fn new(text: String, encoding: Encoding) -> Self {
        let bytes = text.as_bytes();
        // In the protocol a CR ends a line too, unless a LF follows.
        let ends = bytes.iter().enumerate().filter(|&(at, &byte)| {
            byte == b'\n' || (byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'))
        });
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { text, starts, encoding }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The line's first byte, and its text without the line break. Empty behind the last line.
    fn line(&self, line: usize) -> (usize, &str) {
        let start = self.starts.get(line).copied().unwrap_or(self.text.len());
        let end = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        let text = self.text.get(start..end).unwrap_or_default();
        (start, text.trim_end_matches(['\r', '\n']))
    }

    /// The place of a byte; of one inside a character, the character's.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|&start| start <= offset).saturating_sub(1);
        let (start, text) = self.line(line);
        let before =
            text.char_indices().take_while(|(at, char)| start + at + char.len_utf8() <= offset);
        let character = before.map(|(_, char)| self.encoding.units(char)).sum();
        Position { line, character }
    }

    /// The byte at a place. Behind a line's end it is the line's end, behind the last line the
    /// text's, inside a character its first byte.
    pub(crate) fn offset(&self, position: Position) -> usize {
        let (start, text) = self.line(position.line);
        let mut units = 0;
        for (at, char) in text.char_indices() {
            units += self.encoding.units(char);
            if units > position.character {
                return start + at;
            }
        }
        start + text.len()
    }

    pub(crate) fn range(&self, bytes: Bytes<usize>) -> Range {
        Range { start: self.position(bytes.start), end: self.position(bytes.end) }
    }

    /// The bytes of a range; the other way round if its end comes first.
    pub(crate) fn bytes(&self, range: Range) -> Bytes<usize> {
        let (start, end) = (self.offset(range.start), self.offset(range.end));
        start.min(end)..start.max(end)
    }

    /// The text with other text in the place of a range.
    pub(crate) fn replaced(&self, range: Range, with: &str) -> Self {
        let mut text = self.text.clone();
        text.replace_range(self.bytes(range), with);
        Self::new(text, self.encoding)
    }

    /// The line that a byte is in: its first byte, and its text.
    pub(crate) fn line_of(&self, offset: usize) -> (usize, &str) {
        self.line(self.position(offset).line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: usize, character: usize) -> Position {
        Position { line, character }
    }

    #[test]
    fn characters_are_counted_in_the_unit_that_was_agreed_on() {
        let text = "# é汉🦀x\n";
        // Bytes: `# ` 0-1, é 2-3, 汉 4-6, 🦀 7-10, x 11.
        let utf8 = Text::new(text.into(), Encoding::Utf8);
        let utf16 = Text::new(text.into(), Encoding::Utf16);
        for (offset, in_utf8, in_utf16) in [(2, 2, 2), (4, 4, 3), (7, 7, 4), (11, 11, 6)] {
            assert_eq!(utf8.position(offset), at(0, in_utf8));
            assert_eq!(utf16.position(offset), at(0, in_utf16));
            assert_eq!(utf8.offset(at(0, in_utf8)), offset);
            assert_eq!(utf16.offset(at(0, in_utf16)), offset);
        }
    }

    #[test]
    fn a_place_inside_a_character_is_the_characters_start() {
        let utf16 = Text::new("🦀x".into(), Encoding::Utf16);
        assert_eq!(utf16.offset(at(0, 1)), 0);
        assert_eq!(utf16.position(2), at(0, 0));
        assert_eq!(Text::new("汉".into(), Encoding::Utf8).offset(at(0, 2)), 0);
    }

    #[test]
    fn a_place_outside_the_text_is_the_nearest_inside() {
        let text = Text::new("ab\r\nc".into(), Encoding::Utf16);
        assert_eq!(text.offset(at(0, 99)), 2);
        assert_eq!(text.offset(at(1, 99)), 5);
        assert_eq!(text.offset(at(9, 0)), 5);
        assert_eq!(text.position(3), at(0, 2));
        assert_eq!(text.position(99), at(1, 1));
        assert_eq!(Text::new(String::new(), Encoding::Utf8).offset(at(3, 3)), 0);
    }

    #[test]
    fn every_line_break_of_the_protocol_ends_a_line() {
        let text = Text::new("a\rb\r\nc\nd".into(), Encoding::Utf8);
        for (line, offset) in [(0, 0), (1, 2), (2, 5), (3, 7)] {
            assert_eq!(text.position(offset), at(line, 0));
            assert_eq!(text.offset(at(line, 0)), offset);
        }
    }

    #[test]
    fn a_change_replaces_its_range() {
        let text = Text::new("a🦀b\nc\n".into(), Encoding::Utf16);
        let range = Range { start: at(0, 1), end: at(1, 0) };
        let changed = text.replaced(range, "-");
        assert_eq!(changed.as_str(), "a-c\n");
        assert_eq!(changed.position(2), at(0, 2));
        let backwards = Range { start: at(1, 0), end: at(0, 1) };
        assert_eq!(text.replaced(backwards, "-").as_str(), "a-c\n");
    }
}
