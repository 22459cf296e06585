//! Searching a page that arrives in pieces.

use std::sync::Arc;

use super::Compiled;

/// So much of a page is searched at once.
const WINDOW: usize = 64 * 1024;
/// So much of a window stays for the next one. A match is found for certain if it is no longer than this.
const OVERLAP: usize = 16 * 1024;
/// What follows a match may still decide whether it is one: a word's end looks at the next character.
const AHEAD: usize = 4;

/// A search for one pattern in one page. It holds 64 KiB of the page at most.
#[derive(Debug)]
pub(crate) struct Search {
    pattern: Arc<Compiled>,
    window: Vec<u8>,
    /// Where in the page the window begins.
    base: u64,
    /// Where in the page its first line ends, from where it is searched.
    line_end: Option<u64>,
    found: Found,
}

/// What a search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing so far.
    Nothing,
    /// It is there, at this byte of the page.
    At(u64),
    /// Finding out would take too long.
    TooHard,
    /// It is not there, whatever follows.
    Never,
}

impl Search {
    pub(crate) const fn new(pattern: Arc<Compiled>) -> Self {
        Self { pattern, window: Vec::new(), base: 0, line_end: None, found: Found::Nothing }
    }

    /// Whether the pattern must not be found.
    pub(crate) fn absent(&self) -> bool {
        self.pattern.absent
    }

    /// The next bytes of the page.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Found {
        while !bytes.is_empty() && self.found == Found::Nothing {
            let room = WINDOW.saturating_sub(self.window.len()).min(bytes.len());
            let (mine, rest) = bytes.split_at(room);
            self.note_line_end(mine);
            self.window.extend_from_slice(mine);
            bytes = rest;
            if self.window.len() >= WINDOW {
                self.look(false);
                self.slide();
            }
        }
        self.found
    }

    /// The page is complete.
    pub(crate) fn finish(&mut self) -> Found {
        if self.found == Found::Nothing {
            self.look(true);
        }
        self.found
    }

    fn look(&mut self, last: bool) {
        let Compiled { regex, min_offset, max_offset, first_line, .. } = &*self.pattern;
        // The first bytes of a later window are there for what looks back at them.
        let context = if self.base == 0 { 0 } else { AHEAD };
        let start = usize::try_from(min_offset.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let start = start.max(context);
        if start > self.window.len() {
            return;
        }
        let line_end = self.line_end.filter(|_| *first_line);
        let limit = [*max_offset, line_end].into_iter().flatten().min();
        self.found = match regex.find_from_pos(&self.window[..], start) {
            Err(_) => Found::TooHard,
            Ok(Some(found)) => {
                let at = self.at(found.start());
                let settled = last || found.end().saturating_add(AHEAD) <= self.window.len();
                match limit {
                    Some(limit) if at > limit => Found::Never,
                    Some(_) | None if settled => Found::At(at),
                    Some(_) | None => Found::Nothing,
                }
            }
            Ok(None) => {
                let searched = self.at(self.window.len().saturating_sub(OVERLAP));
                match limit {
                    Some(limit) if searched > limit => Found::Never,
                    Some(_) | None => Found::Nothing,
                }
            }
        };
    }

    /// Makes room in the window.
    fn slide(&mut self) {
        let drop = self.window.len().saturating_sub(OVERLAP.saturating_add(AHEAD));
        self.base = self.at(drop);
        self.window.drain(..drop);
        if self.found != Found::Nothing {
            self.window = Vec::new();
        }
    }

    fn note_line_end(&mut self, bytes: &[u8]) {
        if self.line_end.is_some() || !self.pattern.first_line {
            return;
        }
        let begins = self.at(self.window.len());
        let skip = self.pattern.min_offset.saturating_sub(begins);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let mut searched = bytes.iter().enumerate().skip(skip);
        let end =
            searched.find(|&(_, &byte)| byte == b'\n').and_then(|(at, _)| u64::try_from(at).ok());
        self.line_end = end.map(|end| begins.saturating_add(end));
    }

    fn at(&self, index: usize) -> u64 {
        self.base.saturating_add(u64::try_from(index).unwrap_or(u64::MAX))
    }
}
