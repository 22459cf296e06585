//! Pieces into statements and blocks. Where braces are missing or too many, `repair` looks for the
//! place.

use std::borrow::Cow;

use super::{
    Findings,
    repair::Suspect,
    tree::{Block, Statement, Word},
};
use crate::{Code, Diagnostic, diagnostic::Class, source::Span, table};

/// Braces that do not pair up in a whole configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unpaired {
    /// Opening braces without closing one.
    pub(super) opening: usize,
    /// Closing braces without opening one.
    pub(super) closing: usize,
}

impl Unpaired {
    pub(super) fn none(self) -> bool {
        self == Self::default()
    }
}

/// Deeper blocks are skipped.
const DEPTH_MAX: usize = 64;
/// The path of a block that no keyword names.
pub(super) const NOWHERE: &str = "?";

/// A block that is not closed yet.
pub(super) struct Frame {
    pub(super) words: Box<[Word]>,
    pub(super) open: Span,
    /// How many statements stand before its own.
    pub(super) before: usize,
    /// Its path in the keyword table.
    pub(super) path: Cow<'static, str>,
    /// Blanks before the line that opens it.
    pub(super) indent: usize,
    /// A block in it that is to blame when it is never closed.
    pub(super) suspect: Option<Suspect>,
}

/// Takes words, braces and line ends, after every expansion.
#[derive(Default)]
pub(crate) struct Builder {
    pub(super) findings: Findings,
    /// The finished statements of the open blocks, the outermost first.
    pub(super) statements: Vec<Statement>,
    pub(super) frames: Vec<Frame>,
    words: Vec<Word>,
    /// Braces whose place is still to be found.
    pub(super) unpaired: Unpaired,
    /// Blanks before the current line, and the pieces before it.
    pub(super) indent: usize,
    pub(super) line_start: usize,
    /// Blocks beyond [`DEPTH_MAX`] that are open.
    too_deep: usize,
    opened: usize,
    closed: usize,
    /// Words and braces so far.
    pub(crate) pieces: usize,
}

impl Builder {
    /// With so many braces unpaired in what is to come.
    pub(crate) fn new(unpaired: Unpaired) -> Self {
        Self { unpaired, ..Self::default() }
    }

    /// How many braces are unpaired in what came.
    pub(crate) fn unpaired(&self) -> Unpaired {
        Unpaired {
            opening: self.opened.saturating_sub(self.closed),
            closing: self.closed.saturating_sub(self.opened),
        }
    }

    /// A line of the file begins, after so many blanks.
    pub(crate) fn line(&mut self, indent: usize) {
        self.indent = indent;
        self.line_start = self.pieces;
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
        let (before, indent) = (self.statements.len(), self.indent);
        self.frames.push(Frame { words, open: span, before, path, indent, suspect: None });
    }

    /// The words of the line above, when the brace stands on the line below its keyword.
    fn keyword_above(&mut self) -> Box<[Word]> {
        let before = self.frames.last().map_or(0, |frame| frame.before);
        let inside = self.statements.len() > before;
        let last = self.statements.pop_if(|last| inside && last.block.is_none());
        last.map(|last| last.words).unwrap_or_default()
    }

    /// The path of the block that a keyword opens; only needed where braces are unpaired.
    fn child(&self, keyword: Option<&Word>) -> Cow<'static, str> {
        let known = |word: &&Word| table::lookup(self.path(), &word.text).is_some();
        match keyword.filter(|_| !self.unpaired.none()).filter(known) {
            Some(keyword) => table::child(self.path(), &keyword.text).into(),
            None => NOWHERE.into(),
        }
    }

    pub(crate) fn close(&mut self, span: Span) {
        let first_on_line = self.pieces == self.line_start;
        self.pieces += 1;
        self.closed += 1;
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        self.end_statement();
        if first_on_line && self.unpaired.opening > 0 {
            self.suspect(span);
        }
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

    pub(super) fn pop(&mut self, close: Option<Span>) {
        let Some(Frame { words, open, before, .. }) = self.frames.pop() else {
            return;
        };
        let inside = self.statements.split_off(before.min(self.statements.len()));
        let statements = inside.into_boxed_slice();
        if !words.is_empty() {
            let block = Some(Box::new(Block { open, close, statements }));
            self.statements.push(Statement { words, block });
        }
    }

    pub(super) fn path(&self) -> &str {
        self.frames.last().map_or("", |frame| &frame.path)
    }

    pub(crate) fn finish(mut self) -> (Vec<Statement>, Findings) {
        self.end_statement();
        while !self.frames.is_empty() {
            self.unclosed(None, "write `}` at the end of the block".to_owned());
        }
        self.statements.shrink_to_fit();
        (self.statements, self.findings)
    }
}
