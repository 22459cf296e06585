//! The reader: from the main file through all includes to one stream of words and braces.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    Findings,
    build::{Builder, Unpaired},
    expand::{Definition, Scope},
    glyph::{self, Glyph},
    include::Checks,
    lex::{Comments, Token, TokenKind, lex},
    line::{Expanded, Line, Plain},
    tree::{Quoting, Statement, Word},
};
use crate::{
    Code, Diagnostic, Files, Options,
    diagnostic::Class,
    source::{FileId, Source, Sources, Span},
};

/// Bytes that all files together may have.
pub(crate) const BYTES_MAX: usize = 64 << 20;
/// Words and braces that a configuration may have, expanded.
const PIECES_MAX: usize = 8 << 20;
/// The longest line that keepalived reads.
pub(crate) const LINE_MAX: usize = 1023;
/// The longest line that is read here.
pub(crate) const LINE_SKIPPED: usize = 64 << 10;

/// What a configuration's files hold.
pub(crate) struct Reading {
    pub(crate) tree: Vec<Statement>,
    pub(crate) sources: Sources,
    pub(crate) findings: Findings,
    /// The lines that are loops, in the order of the files.
    pub(crate) loops: Vec<Span>,
}

/// What most files have none of, so that not every line has to be searched for it.
#[derive(Clone, Copy)]
struct Rare {
    nul: bool,
    dollar: bool,
}

pub(crate) struct Reader<'a> {
    pub(crate) files: &'a dyn Files,
    pub(crate) sources: Sources,
    pub(crate) findings: Findings,
    pub(crate) scope: Scope<'a>,
    pub(crate) builder: Builder,
    /// Which failures of an include are mistakes, besides those that its keyword says.
    pub(crate) checks: Checks,
    /// The file being read and those that include it.
    pub(crate) open: Vec<PathBuf>,
    /// Lines that were read, and lines that expansions made.
    pub(crate) lines: usize,
    pub(crate) made: usize,
    /// Patterns that were looked for.
    pub(crate) patterns: usize,
    pub(crate) exhaustion_reported: bool,
    /// Where loops are written.
    pub(crate) loops: BTreeSet<Span>,
    /// A definition that goes on in the next line.
    pub(crate) unfinished: Option<(String, Definition)>,
}

/// Reads the configuration; no tree when the main file cannot be read.
pub(crate) fn read(path: &Path, options: &Options, files: &dyn Files) -> Reading {
    let mut reader = Reader::new(options, files, Unpaired::default());
    reader.main_file(path);
    let unpaired = reader.builder.unpaired();
    if !unpaired.none() {
        // Where they belong can only be told while building, and with their number known.
        reader = Reader::new(options, files, unpaired);
        reader.main_file(path);
    }
    let Reader { sources, mut findings, builder, loops, .. } = reader;
    let (tree, in_braces) = builder.finish();
    findings.append(in_braces);
    Reading { tree, sources, findings, loops: loops.into_iter().collect() }
}

impl<'a> Reader<'a> {
    fn new(options: &'a Options, files: &'a dyn Files, unpaired: Unpaired) -> Self {
        Self {
            files,
            sources: Sources::default(),
            findings: Findings::default(),
            scope: Scope::new(options),
            builder: Builder::new(unpaired),
            checks: if options.include_check { Checks::ALL } else { Checks::default() },
            open: Vec::new(),
            lines: 0,
            made: 0,
            patterns: 0,
            exhaustion_reported: false,
            loops: BTreeSet::new(),
            unfinished: None,
        }
    }

    fn main_file(&mut self, path: &Path) {
        match self.files.read(path) {
            Ok(bytes) => self.file(path.to_path_buf(), bytes),
            Err(error) => {
                let file = self.sources.add(path.to_path_buf(), Vec::new());
                let message = format!("cannot read {}: {error}", path.display());
                self.findings.push(
                    Diagnostic::error(Code::Unreadable, Span::new(file, 0..0), message)
                        .class(Class::Fatal),
                );
            }
        }
    }

    pub(crate) fn file(&mut self, path: PathBuf, bytes: Vec<u8>) {
        self.scope.written += bytes.len();
        let (file, source) = self.sources.keep(path.clone(), bytes);
        if self.scope.written > BYTES_MAX {
            let message = format!("the configuration has more than {BYTES_MAX} bytes");
            self.findings.push(Diagnostic::error(Code::Limit, Span::new(file, 0..0), message));
            return;
        }
        self.open.push(path);
        let bom: &[u8] = b"\xef\xbb\xbf";
        let mut start = 0;
        if source.bytes().starts_with(bom) {
            let message = "the file starts with a byte order mark";
            self.findings.push(
                Diagnostic::warning(Code::ByteOrderMark, Span::new(file, 0..bom.len()), message)
                    .hint("save the file as UTF-8 without BOM")
                    .class(Class::Error),
            );
            start = bom.len();
        }
        if let Some(at) = source.first_broken() {
            let message = "the file holds bytes that are no UTF-8";
            self.findings.push(Diagnostic::note(
                Code::NotUtf8,
                Span::new(file, at..at + 1),
                message,
            ));
        }
        let text = source.bytes().get(start..).unwrap_or_default();
        let has = |byte| memchr::memchr(byte, text).is_some();
        let rare = Rare { nul: has(0), dollar: has(b'$') };
        let ends = memchr::memchr_iter(b'\n', text).chain([text.len()]);
        let mut line = 0;
        for end in ends {
            let body = text.get(line..end).unwrap_or_default();
            self.raw_line(&source, file, start + line, body, rare);
            line = end + 1;
        }
        self.finish_definition();
        self.open.pop();
    }

    fn raw_line(&mut self, source: &Source, file: FileId, start: usize, body: &[u8], rare: Rare) {
        self.lines += 1;
        if body.len() > LINE_MAX {
            self.long_line(Span::new(file, start..start + body.len()), body.len());
            if body.len() > LINE_SKIPPED {
                return;
            }
        }
        let nul = if rare.nul { memchr::memchr(0, body) } else { None };
        if let Some(at) = nul {
            let span = Span::new(file, start + at..start + at + 1);
            let message = "the line holds a NUL byte and is skipped";
            self.findings
                .push(Diagnostic::warning(Code::NulByte, span, message).class(Class::Error));
            return;
        }
        let bytes = glyph::trim_start(body);
        self.builder.line(body.len() - bytes.len());
        let start = start + body.len() - bytes.len();
        let bytes = glyph::trim(bytes);
        match source.shared() {
            Some(shared) if self.unfinished.is_none() && is_plain(bytes, rare) => {
                self.words(&Plain { shared, file, start, bytes }, Comments::Present);
            }
            Some(_) | None => self.rich_line(&glyph::decode(file, start, bytes)),
        }
    }

    fn long_line(&mut self, span: Span, len: usize) {
        let (who, label) = match len > LINE_SKIPPED {
            true => ("it is skipped, as keepalived skips it", "lost"),
            false => ("keepalived skips it", "accepted here"),
        };
        let message = format!("the line has {len} bytes; {who}");
        self.findings.push(
            Diagnostic::warning(Code::LongLine, span, message).label(label).class(Class::Error),
        );
    }

    /// A line that may hold more than words.
    fn rich_line(&mut self, glyphs: &[Glyph]) {
        let text = glyph::trim(self.without_comment(glyphs)).to_vec();
        let only_comment = text.is_empty() && !glyphs.is_empty();
        if only_comment && self.unfinished.is_some() {
            // A remark between the lines of a definition does not end it.
            if let Some(span) = glyph::span(glyphs) {
                let message = "keepalived 2.4 ends the definition at this comment";
                self.findings.push(
                    Diagnostic::warning(Code::BadDirective, span, message)
                        .label("read on here")
                        .hint("put the comment above the definition")
                        .class(Class::Error),
                );
            }
            return;
        }
        self.written_line(text);
    }

    fn without_comment<'g>(&mut self, glyphs: &'g [Glyph]) -> &'g [Glyph] {
        let mut len = 0;
        let mut before = None;
        for token in lex(glyphs, Comments::Present) {
            if token.kind == TokenKind::Comment {
                self.comment(&Expanded(glyphs), before.as_ref(), &token);
                break;
            }
            len = token.range.end;
            before = Some(token);
        }
        glyphs.get(..len).unwrap_or_default()
    }

    fn comment(&mut self, line: &impl Line, before: Option<&Token>, comment: &Token) {
        let word = before.filter(|word| word.kind == TokenKind::Bare);
        // Directly behind a closing quote or brace comments are common and harmless.
        let Some(word) = word.map(|word| line.text(word.range.clone())) else { return };
        let Some(span) = line.span(comment.range.clone()) else { return };
        let message = format!("the comment begins inside a word: only `{word}` is left of it");
        self.findings.push(
            Diagnostic::note(Code::CommentInWord, span, message)
                .label("lost from here on")
                .hint("put the word in double quotes, or a blank before the comment"),
        );
    }

    /// The words and braces of a line.
    pub(crate) fn words(&mut self, line: &impl Line, comments: Comments) {
        let mut before = None;
        for token in lex(line.symbols(), comments) {
            let Some(span) = line.span(token.range.clone()) else { continue };
            if self.builder.pieces >= PIECES_MAX {
                return self.too_many_pieces(span);
            }
            if !token.closed {
                self.unbalanced(token.kind, span);
            }
            let mut word = |quoting| {
                self.builder.word(Word { text: line.text(token.content()), span, quoting });
            };
            match token.kind {
                TokenKind::Blank => {}
                TokenKind::Comment => self.comment(line, before.as_ref(), &token),
                TokenKind::Open => self.builder.open(span),
                TokenKind::Close => self.builder.close(span),
                TokenKind::Bare => word(Quoting::Bare),
                TokenKind::Double => word(Quoting::Double),
                TokenKind::Single => word(Quoting::Single),
            }
            before = Some(token);
        }
        self.builder.end_statement();
    }

    fn too_many_pieces(&mut self, span: Span) {
        if !std::mem::replace(&mut self.exhaustion_reported, true) {
            let message = format!("the configuration has more than {PIECES_MAX} words");
            self.findings.push(Diagnostic::error(Code::Limit, span, message));
        }
    }

    fn unbalanced(&mut self, kind: TokenKind, span: Span) {
        let quote = if kind == TokenKind::Single { '\'' } else { '"' };
        let message = format!("this {quote} has no partner on its line");
        self.findings.push(
            Diagnostic::warning(Code::UnbalancedQuote, span, message)
                .label("taken to the end of the line")
                .hint(format!("write {quote} at the end of the text"))
                .class(Class::Error),
        );
    }
}

/// Whether the line is nothing but words, braces and a comment.
fn is_plain(line: &[u8], rare: Rare) -> bool {
    let rich = (rare.dollar && line.contains(&b'$'))
        || line.starts_with(b"include")
        || line.starts_with(b"random_seed")
        || line.starts_with(b"@")
        || line.starts_with(b"~");
    !rich
}
