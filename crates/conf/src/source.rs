//! The files that were read, and places in them.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::shown;

/// One of the files in [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId(usize);

/// A range of bytes in one file, as it lies on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// From the start of `self` to the end of `other`; `self` alone when `other` lies elsewhere.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        if self.file == other.file {
            Self {
                file: self.file,
                start: self.start.min(other.start),
                end: self.end.max(other.end),
            }
        } else {
            self
        }
    }
}

/// A place for people: both numbers count from 1, columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// One file's bytes, and the text that people see.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    bytes: Vec<u8>,
    text: String,
    /// Where each line starts in `text`.
    line_starts: Vec<usize>,
    /// Offsets of bytes that are no UTF-8; each shows as one U+FFFD of three bytes.
    broken: Vec<usize>,
    /// Ranges of `text` that are never shown, ascending.
    secrets: Vec<Range<usize>>,
}

impl Source {
    fn new(path: PathBuf, bytes: Vec<u8>) -> Self {
        let mut text = String::with_capacity(bytes.len());
        let mut broken = Vec::new();
        let mut offset = 0;
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            offset += chunk.valid().len();
            for _ in chunk.invalid() {
                text.push(char::REPLACEMENT_CHARACTER);
                broken.push(offset);
                offset += 1;
            }
        }
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect();
        let secrets = shown::secrets(&text);
        Self { path, bytes, text, line_starts, broken, secrets }
    }

    /// Where it was read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its text; each byte that is no UTF-8 shows as U+FFFD.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The offset in [`Source::text`] of a byte, on a character's boundary.
    #[must_use]
    pub fn text_offset(&self, byte: usize) -> usize {
        let widened = self.broken.partition_point(|&at| at < byte) * 2;
        let mut offset = (byte + widened).min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    /// The lines that hold some bytes: their text, its offset in [`Source::text`], and the
    /// number of the first line.
    #[must_use]
    pub fn lines(&self, start: usize, end: usize) -> (&str, usize, usize) {
        let first = self.line_index(self.text_offset(start));
        let from = self.line_starts.get(first).copied().unwrap_or(0);
        let tail = self.text.get(self.text_offset(end)..).unwrap_or_default();
        let rest = tail.find('\n').unwrap_or(tail.len());
        let to = self.text.len() - tail.len() + rest;
        (self.text.get(from..to).unwrap_or_default(), from, first + 1)
    }

    /// What may be shown of a range of [`Source::text`]: control characters as pictures, secrets
    /// as stars, no CR at the end of a line. Tabs and newlines stay.
    #[must_use]
    pub fn shown(&self, from: usize, to: usize) -> String {
        let first = self.secrets.partition_point(|secret| secret.end <= from);
        let mut secrets = self.secrets.iter().skip(first).peekable();
        let text = self.text.get(from..to).unwrap_or_default();
        let show = |(at, char): (usize, char)| {
            let at = from + at;
            while secrets.next_if(|secret| secret.end <= at).is_some() {}
            match char {
                '\n' | '\t' => Some(char),
                '\r' if matches!(self.text.as_bytes().get(at + 1), None | Some(b'\n')) => None,
                _ if secrets.peek().is_some_and(|secret| secret.contains(&at)) => Some('*'),
                _ => Some(shown::visible(char)),
            }
        };
        text.char_indices().filter_map(show).collect()
    }

    /// The secrets that some bytes touch.
    pub(crate) fn secrets_in(&self, span: Span) -> Vec<&str> {
        let (start, end) = (self.text_offset(span.start), self.text_offset(span.end));
        let first = self.secrets.partition_point(|secret| secret.end <= start);
        let touched = self.secrets.iter().skip(first).take_while(|secret| secret.start < end);
        touched.filter_map(|secret| self.text.get(secret.clone())).collect()
    }

    fn line_index(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= offset).saturating_sub(1)
    }

    fn position(&self, byte: usize) -> Position {
        let offset = self.text_offset(byte);
        let line = self.line_index(offset);
        let start = self.line_starts.get(line).copied().unwrap_or(0);
        let column = self.text.get(start..offset).unwrap_or_default().chars().count() + 1;
        Position { line: line + 1, column }
    }
}

/// The same ranges, ascending and apart.
fn joined(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match apart.last_mut().filter(|last| range.start <= last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => apart.push(range),
        }
    }
    apart
}

/// All files of one configuration: the main one first, then what it includes, then the script
/// files that a diagnostic quotes.
#[derive(Clone, Debug, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Keeps a file.
    pub fn add(&mut self, path: PathBuf, bytes: Vec<u8>) -> FileId {
        self.0.push(Source::new(path, bytes));
        FileId(self.0.len() - 1)
    }

    /// The file; `None` for an id of other sources.
    #[must_use]
    pub fn source(&self, file: FileId) -> Option<&Source> {
        self.0.get(file.0)
    }

    /// Never shows these ranges again.
    pub(crate) fn hide(&mut self, spans: Vec<Span>) {
        for span in spans {
            if let Some(source) = self.0.get_mut(span.file.0) {
                let range = source.text_offset(span.start)..source.text_offset(span.end);
                source.secrets.push(range);
            }
        }
        for source in &mut self.0 {
            source.secrets = joined(std::mem::take(&mut source.secrets));
        }
    }

    /// From the start of a span to the end of its line.
    pub(crate) fn rest_of_line(&self, span: Span) -> Span {
        let bytes = self.source(span.file).map_or(&[][..], Source::bytes);
        let rest = bytes.get(span.start..).unwrap_or_default();
        let len = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        Span { end: span.start + len, ..span }
    }

    /// All files, in the order they were read.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        self.0.iter().enumerate().map(|(index, source)| (FileId(index), source))
    }

    /// The path of a span's file; empty for a span of other sources.
    #[must_use]
    pub fn path(&self, span: Span) -> &Path {
        self.source(span.file).map_or(Path::new(""), Source::path)
    }

    /// Where a span starts.
    #[must_use]
    pub fn position(&self, span: Span) -> Position {
        self.place(span, span.start)
    }

    /// Where a span ends: the column behind its last character.
    #[must_use]
    pub fn end(&self, span: Span) -> Position {
        self.place(span, span.end)
    }

    fn place(&self, span: Span, byte: usize) -> Position {
        let start = Position { line: 1, column: 1 };
        self.source(span.file).map_or(start, |source| source.position(byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_survive_broken_bytes() {
        let mut sources = Sources::default();
        let file = sources.add("a.conf".into(), b"\xff\xfe one\n\xe6\xb1\x89 two\n".to_vec());
        let span = |start, end| Span { file, start, end };
        assert_eq!(sources.position(span(3, 6)), Position { line: 1, column: 4 });
        assert_eq!(sources.position(span(11, 14)), Position { line: 2, column: 3 });
        assert_eq!(sources.end(span(11, 14)), Position { line: 2, column: 6 });
        assert_eq!(sources.position(span(999, 999)), Position { line: 3, column: 1 });
    }
}
