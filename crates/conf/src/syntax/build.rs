//! Pieces into statements and blocks. A brace that is missing is looked for where it belongs.

use super::tree::{Block, Statement, Word};
use crate::{Code, Diagnostic, diagnostic::Class, source::Span, table};

/// Deeper blocks are skipped.
const DEPTH_MAX: usize = 64;

/// The input: words, braces and line ends, after every expansion.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Word(Word),
    Open(Span),
    Close(Span),
    Line,
}

/// A block that is not closed yet.
struct Frame {
    words: Vec<Word>,
    open: Span,
    statements: Vec<Statement>,
    /// Its path in the keyword table.
    path: String,
}

struct Builder<'a> {
    diagnostics: &'a mut Vec<Diagnostic>,
    root: Vec<Statement>,
    frames: Vec<Frame>,
    words: Vec<Word>,
    /// Opening braces without closing one, in the whole configuration.
    missing: usize,
    /// Blocks beyond [`DEPTH_MAX`] that are open.
    too_deep: usize,
}

pub(crate) fn build(pieces: Vec<Piece>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Statement> {
    let count = |wanted: fn(&Piece) -> bool| pieces.iter().filter(|piece| wanted(piece)).count();
    let opens = count(|piece| matches!(piece, Piece::Open(_)));
    let closes = count(|piece| matches!(piece, Piece::Close(_)));
    let mut builder = Builder {
        diagnostics,
        root: Vec::new(),
        frames: Vec::new(),
        words: Vec::new(),
        missing: opens.saturating_sub(closes),
        too_deep: 0,
    };
    for piece in pieces {
        match piece {
            Piece::Word(_) if builder.too_deep > 0 => {}
            Piece::Word(word) => builder.words.push(word),
            Piece::Line => builder.end_statement(),
            Piece::Open(span) => builder.open(span),
            Piece::Close(span) => builder.close(span),
        }
    }
    builder.finish()
}

impl Builder<'_> {
    fn list(&mut self) -> &mut Vec<Statement> {
        match self.frames.last_mut() {
            Some(frame) => &mut frame.statements,
            None => &mut self.root,
        }
    }

    fn end_statement(&mut self) {
        let words = std::mem::take(&mut self.words);
        if let Some(keyword) = words.first() {
            self.recover(&keyword.clone());
            self.list().push(Statement { words, block: None });
        }
    }

    fn open(&mut self, span: Span) {
        if self.too_deep > 0 {
            self.too_deep += 1;
            return;
        }
        let mut words = std::mem::take(&mut self.words);
        if words.is_empty() && self.list().last().is_some_and(|last| last.block.is_none()) {
            // The brace stands on the line below its keyword.
            words = self.list().pop().map(|last| last.words).unwrap_or_default();
        }
        if let Some(keyword) = words.first() {
            self.recover(&keyword.clone());
        }
        if self.frames.len() >= DEPTH_MAX {
            let message = format!("blocks are nested deeper than {DEPTH_MAX}");
            self.diagnostics.push(Diagnostic::warning(Code::Limit, span, message));
            self.too_deep = 1;
            self.words = words;
            return self.end_statement();
        }
        let path = match words.first() {
            Some(keyword) => table::child(self.path(), &keyword.text),
            None => {
                self.diagnostics.push(
                    Diagnostic::warning(Code::UnexpectedBlock, span, "`{` follows no keyword")
                        .label("skipped up to its `}`")
                        .class(Class::Error),
                );
                "?".to_owned()
            }
        };
        self.frames.push(Frame { words, open: span, statements: Vec::new(), path });
    }

    fn close(&mut self, span: Span) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        self.end_statement();
        if self.frames.is_empty() {
            self.diagnostics.push(
                Diagnostic::warning(Code::ExtraBrace, span, "this `}` closes nothing")
                    .hint("delete it, or look above for a block that is closed too early")
                    .class(Class::Error),
            );
            return;
        }
        self.pop(Some(span));
    }

    fn pop(&mut self, close: Option<Span>) {
        if let Some(Frame { words, open, statements, path: _ }) = self.frames.pop()
            && !words.is_empty()
        {
            let block = Some(Block { open, close, statements });
            self.list().push(Statement { words, block });
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
        let name = keyword.map_or("?", |word| &word.text);
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
        self.diagnostics.push(found);
    }

    fn finish(mut self) -> Vec<Statement> {
        self.end_statement();
        while !self.frames.is_empty() {
            self.report_unclosed(None);
            self.pop(None);
        }
        self.root
    }
}
