//! Where braces are missing or too many: what a line says and how it is indented shows the place.

use super::{
    build::{Builder, Frame, NOWHERE},
    tree::{Block, Statement, Word},
};
use crate::{
    Code, Diagnostic, Text,
    diagnostic::Class,
    source::Span,
    table::{self, Keyword},
};

/// A block that may have taken the `}` of the block around it.
pub(super) struct Suspect {
    /// Its name and place.
    block: (Text, Span),
    close: Span,
}

impl Frame {
    /// Its keyword, and where it begins.
    fn place(&self) -> (Text, Span) {
        match self.words.first() {
            Some(word) => (word.text.clone(), word.span.to(self.open)),
            None => (Text::expanded(NOWHERE.to_owned(), None), self.open),
        }
    }
}

impl Builder {
    /// Looks for the place of an unpaired brace before a statement that does not belong where it
    /// stands. `word` is its keyword.
    pub(super) fn recover(&mut self, word: &Word) {
        if self.unpaired.none() || table::lookup(self.path(), &word.text).is_some() {
            return;
        }
        if self.unpaired.opening > 0 {
            self.leave(word);
        } else {
            self.enter(word);
        }
    }

    /// Blocks that are never closed, when the word is a keyword of a block around them.
    fn leave(&mut self, word: &Word) {
        let outer = |depth: usize| {
            let frame = depth.checked_sub(1).and_then(|at| self.frames.get(at));
            table::lookup(frame.map_or("", |frame| &frame.path), &word.text).is_some()
        };
        let Some(home) = (0..self.frames.len()).rev().find(|&depth| outer(depth)) else { return };
        if self.frames.len() - home > self.unpaired.opening {
            return;
        }
        while self.frames.len() > home {
            let name = self.frames.last().and_then(|frame| frame.words.first());
            let name = name.map_or(NOWHERE, |name| &name.text);
            let label = format!("`{}` belongs outside of `{name}`", word.text);
            self.unpaired.opening -= 1;
            self.unclosed(Some((word.span, label)), format!("write `}}` before `{}`", word.text));
        }
    }

    /// Whether a `}` at the start of a line is indented less than the block that it closes, which
    /// is then the likely one to blame when a brace is missing. The tree stays the same: it must not
    /// depend on the layout.
    pub(super) fn suspect(&mut self, close: Span) {
        let indent = self.indent;
        let Some([own, inner]) = self.frames.last_chunk_mut::<2>() else { return };
        if inner.open.file == close.file && inner.indent > indent {
            own.suspect = Some(Suspect { block: inner.place(), close });
        }
    }

    /// Ends the innermost block without a brace. `seen` shows that its end is missing.
    pub(super) fn unclosed(&mut self, seen: Option<(Span, String)>, hint: String) {
        let Some(frame) = self.frames.last() else { return };
        let unclosed = |(name, span): (Text, Span), hint: String| {
            Diagnostic::warning(Code::UnclosedBlock, span, format!("`{name}` is never closed"))
                .label("this block has no `}`")
                .hint(hint)
                .class(Class::Error)
        };
        let found = match (&frame.suspect, seen) {
            (Some(Suspect { block, close }), _) => {
                let (outer, _) = frame.place();
                let hint = "write `}` at the end of the block".to_owned();
                unclosed(block.clone(), hint)
                    .also(*close, format!("this `}}` is indented like that of `{outer}`"))
            }
            (None, Some((span, label))) => unclosed(frame.place(), hint).also(span, label),
            (None, None) => unclosed(frame.place(), hint),
        };
        self.findings.push(found);
        self.pop(None);
    }

    /// The block above, when the word belongs in it: it was closed too early, or its `{` is
    /// missing. Either leaves a `}` over.
    fn enter(&mut self, word: &Word) {
        let before = self.frames.last().map_or(0, |frame| frame.before);
        let above = self.statements.get(before..).and_then(<[Statement]>::last);
        let Some(inside) = above.and_then(|above| takes(self.path(), above, word)) else { return };
        let Some(Statement { words, block }) = self.statements.pop() else { return };
        let (Some(first), Some(last)) = (words.first(), words.last()) else { return };
        let before = self.statements.len();
        let name = &first.text;
        let label = format!("`{}` belongs in `{name}`", word.text);
        let (open, found) = match block.map(|block| *block) {
            Some(Block { open, close, statements }) => {
                self.statements.extend(statements);
                let message = format!("this `}}` closes `{name}` too early");
                let span = close.unwrap_or(open);
                let found = Diagnostic::warning(Code::ExtraBrace, span, message);
                (open, found.hint("delete it"))
            }
            None => {
                let end = last.span.range().end;
                let message = format!("`{name}` has no `{{`");
                let span = first.span.to(last.span);
                let found = Diagnostic::warning(Code::MissingBlock, span, message);
                (
                    Span::new(last.span.file, end..end),
                    found.hint(format!("write `{} {{`", line(&words))),
                )
            }
        };
        self.findings.push(found.also(word.span, label).class(Class::Error));
        self.unpaired.closing -= 1;
        self.frames.push(Frame {
            words,
            open,
            before,
            path: inside.into(),
            indent: self.indent,
            suspect: None,
        });
    }
}

/// The path of the statement's block when the word belongs in it.
fn takes(path: &str, above: &Statement, word: &Word) -> Option<&'static str> {
    let closed = above.block.as_ref().is_none_or(|block| block.close.is_some());
    let known = table::lookup(path, &above.keyword()?.text).filter(|known| known.opens_block());
    let block = known.filter(|_| closed).and_then(Keyword::block)?;
    let entry = || {
        // A misspelt keyword looks like any entry that is a name.
        let misspelt = table::block(path).and_then(|block| table::suggest(block, &word.text));
        block.entry(&word.text).is_some() && misspelt.is_none()
    };
    (block.keyword(&word.text).is_some() || entry()).then_some(block.path)
}

/// The words of a line, as they were written but for quotes.
pub(crate) fn line(words: &[Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}
