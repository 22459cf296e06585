//! Pieces into statements and blocks. A brace that is missing is looked for where it belongs.

use std::borrow::Cow;

use super::{
    Findings,
    tree::{Block, Statement, Word},
};
use crate::{Code, Diagnostic, diagnostic::Class, source::Span, table};

/// Deeper blocks are skipped.
const DEPTH_MAX: usize = 64;
/// The path of a block that no keyword names.
const NOWHERE: &str = "?";

/// A block that is not closed yet.
struct Frame {
    words: Box<[Word]>,
    open: Span,
    /// How many statements stand before its own.
    before: usize,
    /// Its path in the keyword table.
    path: Cow<'static, str>,
}

/// Takes words, braces and line ends, after every expansion.
#[derive(Default)]
pub(crate) struct Builder {
    findings: Findings,
    /// The finished statements of the open blocks, the outermost first.
    statements: Vec<Statement>,
    frames: Vec<Frame>,
    words: Vec<Word>,
    /// Opening braces without closing one, in the whole configuration.
    missing: usize,
    /// Blocks beyond [`DEPTH_MAX`] that are open.
    too_deep: usize,
    opened: usize,
    closed: usize,
    /// Words and braces so far.
    pub(crate) pieces: usize,
}

impl Builder {
    /// With so many closing braces missing in what is to come.
    pub(crate) fn new(missing: usize) -> Self {
        Self { missing, ..Self::default() }
    }

    /// How many closing braces are missing in what came.
    pub(crate) fn missing(&self) -> usize {
        self.opened.saturating_sub(self.closed)
    }

    pub(crate) fn word(&mut self, word: Word) {
        self.pieces += 1;
        if self.too_deep == 0 {
            self.words.push(word);
        }
    }

    pub(crate) fn end_statement(&mut self) {
        let words = self.take_words();
        if let Some(keyword) = words.first() {
            self.recover(keyword);
            self.statements.push(Statement { words, block: None });
        }
    }

    fn take_words(&mut self) -> Box<[Word]> {
        // Exactly as much memory as needed, and the list's own is used again.
        self.words.drain(..).collect()
    }

    pub(crate) fn open(&mut self, span: Span) {
        self.pieces += 1;
        self.opened += 1;
        if self.too_deep > 0 {
            self.too_deep += 1;
            return;
        }
        let words = self.take_words();
        let words = if words.is_empty() { self.keyword_above() } else { words };
        if let Some(keyword) = words.first() {
            self.recover(keyword);
        } else {
            self.findings.push(
                Diagnostic::warning(Code::UnexpectedBlock, span, "`{` follows no keyword")
                    .label("skipped up to its `}`")
                    .class(Class::Error),
            );
        }
        if self.frames.len() >= DEPTH_MAX {
            let message = format!("blocks are nested deeper than {DEPTH_MAX}");
            self.findings.push(Diagnostic::warning(Code::Limit, span, message));
            self.too_deep = 1;
            if !words.is_empty() {
                self.statements.push(Statement { words, block: None });
            }
            return;
        }
        let path = self.child(words.first());
        self.frames.push(Frame { words, open: span, before: self.statements.len(), path });
    }

    /// The words of the line above, when the brace stands on the line below its keyword.
    fn keyword_above(&mut self) -> Box<[Word]> {
        let before = self.frames.last().map_or(0, |frame| frame.before);
        let inside = self.statements.len() > before;
        let last = self.statements.pop_if(|last| inside && last.block.is_none());
        last.map(|last| last.words).unwrap_or_default()
    }

    /// The path of the block that a keyword opens; only needed where braces are missing.
    fn child(&self, keyword: Option<&Word>) -> Cow<'static, str> {
        let known = |word: &&Word| table::lookup(self.path(), &word.text).is_some();
        match keyword.filter(|_| self.missing > 0).filter(known) {
            Some(keyword) => table::child(self.path(), &keyword.text).into(),
            None => NOWHERE.into(),
        }
    }

    pub(crate) fn close(&mut self, span: Span) {
        self.pieces += 1;
        self.closed += 1;
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        self.end_statement();
        if self.frames.is_empty() {
            self.findings.push(
                Diagnostic::warning(Code::ExtraBrace, span, "this `}` closes nothing")
                    .hint("delete it, or look above for a block that is closed too early")
                    .class(Class::Error),
            );
            return;
        }
        self.pop(Some(span));
    }

    fn pop(&mut self, close: Option<Span>) {
        let Some(Frame { words, open, before, path: _ }) = self.frames.pop() else { return };
        let inside = self.statements.split_off(before.min(self.statements.len()));
        let statements = inside.into_boxed_slice();
        if !words.is_empty() {
            let block = Some(Box::new(Block { open, close, statements }));
            self.statements.push(Statement { words, block });
        }
    }

    fn path(&self) -> &str {
        self.frames.last().map_or("", |frame| &frame.path)
    }

    /// When braces are missing and `word` is no keyword of the current block but of one around
    /// it, the blocks in between are the ones that were never closed.
    fn recover(&mut self, word: &Word) {
        if self.missing == 0 || table::lookup(self.path(), &word.text).is_some() {
            return;
        }
        let outer = |frames: &[Frame], depth: usize| {
            let path = depth.checked_sub(1).and_then(|at| frames.get(at));
            table::lookup(path.map_or("", |frame| &frame.path), &word.text).is_some()
        };
        let home = (0..self.frames.len()).rev().find(|&depth| outer(&self.frames, depth));
        let Some(home) = home else { return };
        if self.frames.len() - home > self.missing {
            return;
        }
        while self.frames.len() > home {
            self.report_unclosed(Some(word));
            self.missing -= 1;
            self.pop(None);
        }
    }

    fn report_unclosed(&mut self, before: Option<&Word>) {
        let Some(frame) = self.frames.last() else { return };
        let keyword = frame.words.first();
        let name = keyword.map_or(NOWHERE, |word| &word.text);
        let span = keyword.map_or(frame.open, |word| word.span.to(frame.open));
        let mut found =
            Diagnostic::warning(Code::UnclosedBlock, span, format!("`{name}` is never closed"))
                .label("this block has no `}`")
                .class(Class::Error);
        found = match before {
            Some(word) => found
                .also(word.span, format!("`{}` belongs outside of `{name}`", word.text))
                .hint(format!("write `}}` before `{}`", word.text)),
            None => found.hint("write `}` at the end of the block"),
        };
        self.findings.push(found);
    }

    pub(crate) fn finish(mut self) -> (Vec<Statement>, Findings) {
        self.end_statement();
        while !self.frames.is_empty() {
            self.report_unclosed(None);
            self.pop(None);
        }
        self.statements.shrink_to_fit();
        (self.statements, self.findings)
    }
}
