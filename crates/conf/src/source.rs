//! The files that were read, and places in them.

use std::{
    cell::OnceCell,
    num::NonZeroU32,
    ops::Range,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{shown, text::Shared};

/// One of the files in [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId(NonZeroU32);

/// A range of bytes in one file, as it lies on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// These bytes of a file. Beyond 4 GiB all bytes are one.
    #[must_use]
    pub fn new(file: FileId, bytes: Range<usize>) -> Self {
        Self { file, start: narrow(bytes.start), end: narrow(bytes.end) }
    }

    /// The bytes.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        wide(self.start)..wide(self.end)
    }

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

pub(crate) fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

pub(crate) fn wide(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
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
    text: Arc<Shared>,
    /// The bytes, where they are not the text's.
    broken: Option<Broken>,
    /// Where each line starts in the text; only findings need it.
    line_starts: OnceCell<Vec<usize>>,
    /// Ranges of the text that are known to be secret, besides those that look like it.
    hidden: Vec<Range<usize>>,
    /// Ranges of the text that are never shown, ascending; only findings need them.
    secrets: OnceCell<Vec<Range<usize>>>,
}

/// A file that is no UTF-8.
#[derive(Clone, Debug)]
struct Broken {
    bytes: Vec<u8>,
    /// Offsets of bytes that are no UTF-8; each shows as one U+FFFD of three bytes.
    at: Vec<usize>,
}

impl Source {
    fn new(path: PathBuf, bytes: Vec<u8>) -> Self {
        let (text, broken) = match String::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let bytes = error.into_bytes();
                let (text, at) = mend(&bytes);
                (text, Some(Broken { bytes, at }))
            }
        };
        let text = Arc::new(Shared { text, definition: None });
        Self {
            path,
            text,
            broken,
            line_starts: OnceCell::new(),
            hidden: Vec::new(),
            secrets: OnceCell::new(),
        }
    }

    /// The text to share, when its offsets are those of the bytes.
    pub(crate) fn shared(&self) -> Option<&Arc<Shared>> {
        self.broken.is_none().then_some(&self.text)
    }

    /// The first byte that is no UTF-8.
    pub(crate) fn first_broken(&self) -> Option<usize> {
        self.broken.as_ref()?.at.first().copied()
    }

    /// Where it was read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.broken.as_ref().map_or(self.text().as_bytes(), |broken| &broken.bytes)
    }

    /// Its text; each byte that is no UTF-8 shows as U+FFFD.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text.text
    }

    /// The offset in [`Source::text`] of a byte, on a character's boundary.
    #[must_use]
    pub fn text_offset(&self, byte: usize) -> usize {
        let broken = self.broken.as_ref().map_or(&[][..], |broken| &broken.at);
        let widened = broken.partition_point(|&at| at < byte) * 2;
        let mut offset = (byte + widened).min(self.text().len());
        while !self.text().is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    /// The lines that hold some bytes: their text, its offset in [`Source::text`], and the
    /// number of the first line.
    #[must_use]
    pub fn lines(&self, start: usize, end: usize) -> (&str, usize, usize) {
        let first = self.line_index(self.text_offset(start));
        let from = self.line_starts().get(first).copied().unwrap_or(0);
        let tail = self.text().get(self.text_offset(end)..).unwrap_or_default();
        let rest = tail.find('\n').unwrap_or(tail.len());
        let to = self.text().len() - tail.len() + rest;
        (self.text().get(from..to).unwrap_or_default(), from, first + 1)
    }

    /// What may be shown of a range of [`Source::text`]: control characters as pictures, secrets
    /// as stars, no CR at the end of a line. Tabs and newlines stay.
    #[must_use]
    pub fn shown(&self, from: usize, to: usize) -> String {
        let secrets = self.secrets();
        let first = secrets.partition_point(|secret| secret.end <= from);
        let mut secrets = secrets.iter().skip(first).peekable();
        let text = self.text().get(from..to).unwrap_or_default();
        let show = |(at, char): (usize, char)| {
            let at = from + at;
            while secrets.next_if(|secret| secret.end <= at).is_some() {}
            match char {
                '\n' | '\t' => Some(char),
                '\r' if matches!(self.text().as_bytes().get(at + 1), None | Some(b'\n')) => None,
                _ if secrets.peek().is_some_and(|secret| secret.contains(&at)) => Some('*'),
                _ => Some(shown::visible(char)),
            }
        };
        text.char_indices().filter_map(show).collect()
    }

    /// The secrets that some bytes touch.
    pub(crate) fn secrets_in(&self, span: Span) -> Vec<&str> {
        let range = span.range();
        let (start, end) = (self.text_offset(range.start), self.text_offset(range.end));
        let secrets = self.secrets();
        let first = secrets.partition_point(|secret| secret.end <= start);
        let touched = secrets.iter().skip(first).take_while(|secret| secret.start < end);
        touched.filter_map(|secret| self.text().get(secret.clone())).collect()
    }

    fn secrets(&self) -> &[Range<usize>] {
        self.secrets.get_or_init(|| {
            let found = shown::secrets(self.text());
            joined(found.into_iter().chain(self.hidden.iter().cloned()).collect())
        })
    }

    fn line_index(&self, offset: usize) -> usize {
        self.line_starts().partition_point(|&start| start <= offset).saturating_sub(1)
    }

    fn line_starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| {
            let newlines = memchr::memchr_iter(b'\n', self.text().as_bytes());
            std::iter::once(0).chain(newlines.map(|at| at + 1)).collect()
        })
    }

    fn position(&self, byte: usize) -> Position {
        let offset = self.text_offset(byte);
        let line = self.line_index(offset);
        let start = self.line_starts().get(line).copied().unwrap_or(0);
        let column = self.text().get(start..offset).unwrap_or_default().chars().count() + 1;
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

/// The text with each byte that is no UTF-8 replaced, and where those bytes are.
fn mend(bytes: &[u8]) -> (String, Vec<usize>) {
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
    (text, broken)
}

/// All files of one configuration: the main one first, then what it includes, then the script
/// files that a diagnostic quotes.
#[derive(Clone, Debug, Default)]
pub struct Sources(Vec<Rc<Source>>);

impl Sources {
    /// Keeps a file.
    pub fn add(&mut self, path: PathBuf, bytes: Vec<u8>) -> FileId {
        self.keep(path, bytes).0
    }

    pub(crate) fn keep(&mut self, path: PathBuf, bytes: Vec<u8>) -> (FileId, Rc<Source>) {
        let source = Rc::new(Source::new(path, bytes));
        self.0.push(Rc::clone(&source));
        (file_id(self.0.len() - 1), source)
    }

    /// How many files there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The file; `None` for an id of other sources.
    #[must_use]
    pub fn source(&self, file: FileId) -> Option<&Source> {
        self.0.get(wide(file.0.get() - 1)).map(Rc::as_ref)
    }

    /// Never shows these ranges again.
    pub(crate) fn hide(&mut self, spans: Vec<Span>) {
        for span in spans {
            if let Some(source) = self.0.get_mut(wide(span.file.0.get() - 1)).map(Rc::make_mut) {
                let range = span.range();
                source.hidden.push(source.text_offset(range.start)..source.text_offset(range.end));
                source.secrets = OnceCell::new();
            }
        }
    }

    /// From the start of a span to the end of its line.
    pub(crate) fn rest_of_line(&self, span: Span) -> Span {
        let bytes = self.source(span.file).map_or(&[][..], Source::bytes);
        let start = span.range().start;
        let rest = bytes.get(start..).unwrap_or_default();
        let len = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        Span::new(span.file, start..start + len)
    }

    /// All files, in the order they were read.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        self.0.iter().enumerate().map(|(index, source)| (file_id(index), source.as_ref()))
    }

    /// The path of a span's file; empty for a span of other sources.
    #[must_use]
    pub fn path(&self, span: Span) -> &Path {
        self.source(span.file).map_or(Path::new(""), Source::path)
    }

    /// Where a span starts.
    #[must_use]
    pub fn position(&self, span: Span) -> Position {
        self.place(span, wide(span.start))
    }

    /// Where a span ends: the column behind its last character.
    #[must_use]
    pub fn end(&self, span: Span) -> Position {
        self.place(span, wide(span.end))
    }

    fn place(&self, span: Span, byte: usize) -> Position {
        let start = Position { line: 1, column: 1 };
        self.source(span.file).map_or(start, |source| source.position(byte))
    }
}

/// The files count from 1, so that an `Option<Span>` is as small as a span.
fn file_id(index: usize) -> FileId {
    FileId(NonZeroU32::MIN.saturating_add(narrow(index)))
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
