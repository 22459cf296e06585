//! The reader: from the main file through all includes to one stream of words and braces.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{
    build::{Piece, build},
    directive::{self, ROUNDS_MAX},
    expand::{Definition, Local, Scope, Site, VOLUME_MAX, is_name},
    glyph::{self, Glyph},
    include::{self, Strictness, alternatives, is_wildcard},
    lex::{Comments, Token, TokenKind, lex},
    tree::{Quoting, Statement, Word},
};
use crate::{
    Code, Diagnostic, Files, Options,
    diagnostic::Class,
    source::{FileId, Sources, Span},
};

/// Includes inside includes.
const DEPTH_MAX: usize = 32;
/// Files that one configuration may have.
const FILES_MAX: usize = 4096;
/// Bytes that all files together may have.
const BYTES_MAX: usize = 16 << 20;
/// Words and braces that a configuration may have, expanded.
const PIECES_MAX: usize = 1 << 20;
/// The longest line that keepalived reads.
pub(crate) const LINE_MAX: usize = 1023;
/// Loops inside loops, and lines that expansion has made of lines.
const NESTING_MAX: usize = 32;
/// Lines that all loops and definitions together may make.
const LINES_MAX: usize = 2 * ROUNDS_MAX;

/// A line on its way through the expansions.
struct Line {
    glyphs: Rc<[Glyph]>,
    locals: Rc<Vec<Local>>,
    nesting: usize,
    /// References are replaced already.
    expanded: bool,
}

struct Reader<'a> {
    files: &'a dyn Files,
    sources: &'a mut Sources,
    diagnostics: &'a mut Vec<Diagnostic>,
    scope: Scope<'a>,
    pieces: Vec<Piece>,
    /// The file being read and those that include it.
    open: Vec<PathBuf>,
    bytes: usize,
    lines: usize,
    exhaustion_reported: bool,
    /// A definition that goes on in the next line.
    unfinished: Option<(String, Definition)>,
}

/// Reads the configuration. `None` when the main file cannot be read.
pub(crate) fn read(
    path: &Path,
    options: &Options,
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<Statement>> {
    let mut reader = Reader {
        files,
        sources,
        diagnostics,
        scope: Scope::new(options),
        pieces: Vec::new(),
        open: Vec::new(),
        bytes: 0,
        lines: 0,
        exhaustion_reported: false,
        unfinished: None,
    };
    let bytes = match files.read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let file = reader.sources.add(path.to_path_buf(), Vec::new());
            let message = format!("cannot read {}: {error}", path.display());
            reader.diagnostics.push(
                Diagnostic::error(Code::Unreadable, Span { file, start: 0, end: 0 }, message)
                    .class(Class::Fatal),
            );
            return None;
        }
    };
    reader.file(path.to_path_buf(), bytes);
    let Reader { pieces, diagnostics, .. } = reader;
    Some(build(pieces, diagnostics))
}

impl Reader<'_> {
    fn file(&mut self, path: PathBuf, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        self.open.push(path.clone());
        let file = self.sources.add(path, bytes.clone());
        if self.bytes > BYTES_MAX {
            let span = Span { file, start: 0, end: 0 };
            let message = format!("the configuration has more than {BYTES_MAX} bytes");
            self.diagnostics.push(Diagnostic::error(Code::Limit, span, message));
            return;
        }
        let bom: &[u8] = b"\xef\xbb\xbf";
        let mut start = 0;
        if bytes.starts_with(bom) {
            let span = Span { file, start: 0, end: bom.len() };
            let message = "the file starts with a byte order mark";
            self.diagnostics.push(
                Diagnostic::warning(Code::ByteOrderMark, span, message)
                    .hint("save the file as UTF-8 without BOM")
                    .class(Class::Error),
            );
            start = bom.len();
        }
        self.check_utf8(file, &bytes);
        for line in bytes.get(start..).unwrap_or_default().split_inclusive(|&byte| byte == b'\n') {
            let body = line.strip_suffix(b"\n").unwrap_or(line);
            self.raw_line(file, start, body);
            start += line.len();
        }
        self.finish_definition();
        self.open.pop();
    }

    fn check_utf8(&mut self, file: FileId, bytes: &[u8]) {
        if let Err(error) = str::from_utf8(bytes) {
            let start = error.valid_up_to();
            let span = Span { file, start, end: start + 1 };
            let message = "the file holds bytes that are no UTF-8";
            self.diagnostics.push(Diagnostic::note(Code::NotUtf8, span, message));
        }
    }

    fn raw_line(&mut self, file: FileId, start: usize, body: &[u8]) {
        let line = Span { file, start, end: start + body.len() };
        if body.len() > LINE_MAX {
            let message = format!("the line has {} bytes; keepalived skips it", body.len());
            self.diagnostics.push(
                Diagnostic::warning(Code::LongLine, line, message)
                    .label("accepted here")
                    .class(Class::Error),
            );
        }
        if let Some(at) = body.iter().position(|&byte| byte == 0) {
            let span = Span { file, start: start + at, end: start + at + 1 };
            let message = "the line holds a NUL byte and is skipped";
            self.diagnostics
                .push(Diagnostic::warning(Code::NulByte, span, message).class(Class::Error));
            return;
        }
        let glyphs = glyph::decode(file, start, body);
        let text = glyph::trim(self.without_comment(&glyphs)).to_vec();
        let only_comment = text.is_empty() && !glyph::trim(&glyphs).is_empty();
        if only_comment && self.unfinished.is_some() {
            // A remark between the lines of a definition does not end it.
            return;
        }
        self.written_line(text);
    }

    fn without_comment<'g>(&mut self, glyphs: &'g [Glyph]) -> &'g [Glyph] {
        let tokens = lex(glyphs, Comments::Present);
        let mut len = 0;
        let mut before: Option<Token<'_>> = None;
        for token in tokens {
            if token.kind == TokenKind::Comment {
                if let Some(word) = before.filter(|word| word.kind == TokenKind::Bare)
                    && let Some(span) = glyph::span(token.glyphs)
                {
                    self.comment_in_word(&glyph::text(word.glyphs), span);
                }
                break;
            }
            len += token.glyphs.len();
            before = Some(token);
        }
        glyphs.get(..len).unwrap_or_default()
    }

    fn comment_in_word(&mut self, word: &str, span: Span) {
        // Directly behind a closing word comments are common and harmless.
        let message = format!("the comment begins inside a word: only `{word}` is left of it");
        self.diagnostics.push(
            Diagnostic::note(Code::CommentInWord, span, message)
                .label("lost from here on")
                .hint("put the word in double quotes, or a blank before the comment"),
        );
    }

    /// A line without comment: part of a definition, or one to work on.
    fn written_line(&mut self, mut glyphs: Vec<Glyph>) {
        if self.unfinished.is_some() {
            let goes_on = pop_backslash(&mut glyphs);
            if let Some((_, definition)) = &mut self.unfinished
                && !glyph::trim(&glyphs).is_empty()
            {
                definition.lines.push(glyph::trim(&glyphs).to_vec());
            }
            if !goes_on {
                self.finish_definition();
            }
            return;
        }
        let locals = Rc::new(Vec::new());
        let mut queue =
            VecDeque::from([Line { glyphs: glyphs.into(), locals, nesting: 0, expanded: false }]);
        while let Some(line) = queue.pop_front() {
            self.line(line, &mut queue);
        }
        self.pieces.push(Piece::Line);
    }

    fn finish_definition(&mut self) {
        if let Some((name, mut definition)) = self.unfinished.take() {
            if definition.lines.is_empty() {
                definition.lines.push(Vec::new());
            }
            self.scope.definitions.insert(name, definition);
        }
    }

    fn line(&mut self, line: Line, queue: &mut VecDeque<Line>) {
        let Some(text) = self.condition(glyph::trim(&line.glyphs)) else { return };
        let Some(first) = text.first() else { return };
        if line.nesting > 0 && self.exhausted(line.nesting, text.len()) {
            if !std::mem::replace(&mut self.exhaustion_reported, true) {
                let message = "loops and definitions expand to too much";
                self.diagnostics.push(Diagnostic::warning(Code::Limit, first.span, message));
            }
            return;
        }
        if !line.expanded && self.definition(text, line.nesting == 0) {
            return;
        }
        let looped = directive::is_loop(text);
        if line.expanded && looped {
            return self.unroll(text, &line, queue);
        }
        if !line.expanded {
            return self.expand(text, looped, &line, queue);
        }
        match include::include(text) {
            Some(include) => self.include(&include),
            None => self.words(text),
        }
    }

    fn exhausted(&mut self, nesting: usize, len: usize) -> bool {
        self.lines += 1;
        self.scope.volume += len;
        nesting > NESTING_MAX || self.lines > LINES_MAX || self.scope.volume > VOLUME_MAX
    }

    /// Replaces the references of a line and puts the result back into the queue. Of a loop,
    /// only the arguments: the body's turn comes in each round.
    fn expand(&mut self, text: &[Glyph], looped: bool, line: &Line, queue: &mut VecDeque<Line>) {
        let (head, body) =
            if looped { glyph::split(text, |char| char == ')') } else { (text, [].as_slice()) };
        let directory = self.directory();
        let site = Site { directory: &directory, locals: &line.locals };
        let expanded = self.scope.expand(head, &site, self.diagnostics);
        let nesting = line.nesting + usize::from(expanded.changed);
        let put = |glyphs: Vec<Glyph>, expanded| Line {
            glyphs: glyphs.into(),
            locals: Rc::clone(&line.locals),
            nesting,
            expanded,
        };
        for more in expanded.more.into_iter().rev() {
            queue.push_front(put(more, false));
        }
        let mut glyphs = expanded.line;
        glyphs.extend_from_slice(body);
        // What a reference brought in may itself be a definition.
        let again = expanded.changed && is_definition(glyph::trim(&glyphs));
        queue.push_front(put(glyphs, !again));
    }

    fn unroll(&mut self, text: &[Glyph], line: &Line, queue: &mut VecDeque<Line>) {
        match directive::unroll(text) {
            Ok(unrolled) => {
                let body: Rc<[Glyph]> = unrolled.body.into();
                for round in unrolled.rounds.into_iter().rev() {
                    let mut locals = line.locals.to_vec();
                    locals.extend(round);
                    queue.push_front(Line {
                        glyphs: Rc::clone(&body),
                        locals: Rc::new(locals),
                        nesting: line.nesting + 1,
                        expanded: false,
                    });
                }
            }
            Err(what) => self.bad_directive(text, format!("this loop is malformed: {what}")),
        }
    }

    fn bad_directive(&mut self, text: &[Glyph], message: String) {
        if let Some(span) = glyph::span(text) {
            self.diagnostics
                .push(Diagnostic::warning(Code::BadDirective, span, message).class(Class::Error));
        }
    }

    /// What is left of a line behind its `@ID` or `@^ID`; `None` when it is for others.
    fn condition<'g>(&mut self, text: &'g [Glyph]) -> Option<&'g [Glyph]> {
        let mut text = text;
        while let Some(rest) = glyph::strip(text, "@") {
            let (wanted, rest) = match glyph::strip(rest, "^") {
                Some(rest) => (false, rest),
                None => (true, rest),
            };
            let (id, rest) = glyph::split(rest, glyph::is_blank);
            if (glyph::text(id) == self.scope.options.config_id) != wanted {
                return None;
            }
            text = glyph::trim_start(rest);
        }
        Some(text)
    }

    /// Takes in a `$NAME=VALUE`; whether the line was one. Only a line that was `written` so, and
    /// not made by a loop or a reference, goes on in the file's next line.
    fn definition(&mut self, text: &[Glyph], written: bool) -> bool {
        if !is_definition(text) {
            return false;
        }
        let (name, rest) = glyph::split(text.get(1..).unwrap_or_default(), |char| char == '=');
        let mut value = glyph::trim_start(rest.get(1..).unwrap_or_default()).to_vec();
        let goes_on = pop_backslash(&mut value) && written;
        let value = glyph::trim(&value).to_vec();
        let lines = if goes_on && value.is_empty() { Vec::new() } else { vec![value] };
        self.unfinished = Some((glyph::text(name), Definition { lines }));
        if !goes_on {
            self.finish_definition();
        }
        true
    }

    fn directory(&self) -> PathBuf {
        self.open.last().and_then(|path| path.parent()).map(Path::to_path_buf).unwrap_or_default()
    }

    fn include(&mut self, include: &include::Include<'_>) {
        let Some(span) = glyph::span(include.pattern) else { return };
        if self.open.len() > DEPTH_MAX {
            let message = format!("includes are nested deeper than {DEPTH_MAX}");
            self.diagnostics.push(Diagnostic::warning(Code::Limit, span, message));
            return;
        }
        let patterns = alternatives(&glyph::text(include.pattern));
        let several = patterns.len() > 1;
        let mut found_any = false;
        for pattern in patterns {
            let paths = match self.files.glob(&pattern, &self.directory()) {
                Ok(paths) => paths,
                Err(error) => {
                    let message = format!("`{pattern}` is no file pattern: {error}");
                    self.diagnostics.push(Diagnostic::warning(Code::IncludeMissing, span, message));
                    continue;
                }
            };
            let needed =
                if is_wildcard(&pattern) { Strictness::Wildcard } else { Strictness::Match };
            let needed = if several { Strictness::Alternatives } else { needed };
            if paths.is_empty() && (needed == Strictness::Match || include.strictness >= needed) {
                self.include_missing(&pattern, span, include.strictness >= needed);
            }
            for path in paths {
                found_any = true;
                self.include_file(path, span, include.strictness);
            }
        }
        if several && !found_any && include.strictness < Strictness::Alternatives {
            let pattern = glyph::text(include.pattern);
            self.include_missing(&pattern, span, include.strictness >= Strictness::Match);
        }
    }

    fn include_missing(&mut self, pattern: &str, span: Span, fatal: bool) {
        let message = format!("no file matches `{pattern}`");
        let mut found = Diagnostic::warning(Code::IncludeMissing, span, message)
            .hint("relative names start at this file's directory; executable files are skipped");
        if fatal {
            found = found.class(Class::Fatal);
        }
        self.diagnostics.push(found);
    }

    fn include_file(&mut self, path: PathBuf, span: Span, strictness: Strictness) {
        if self.open.contains(&path) {
            let message = format!("{} includes itself", path.display());
            self.diagnostics.push(Diagnostic::warning(Code::IncludeCycle, span, message));
            return;
        }
        if self.sources.iter().count() >= FILES_MAX || self.bytes > BYTES_MAX {
            let message = format!("{} is skipped: too many or too large files", path.display());
            self.diagnostics.push(Diagnostic::warning(Code::Limit, span, message));
            return;
        }
        match self.files.read(&path) {
            Ok(bytes) => {
                self.pieces.push(Piece::Line);
                self.file(path, bytes);
            }
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                let mut found = Diagnostic::warning(Code::Unreadable, span, message);
                if strictness >= Strictness::Read {
                    found = found.class(Class::Fatal);
                }
                self.diagnostics.push(found);
            }
        }
    }

    fn words(&mut self, text: &[Glyph]) {
        if self.pieces.len() > PIECES_MAX {
            if !std::mem::replace(&mut self.exhaustion_reported, true)
                && let Some(span) = glyph::span(text)
            {
                let message = format!("the configuration has more than {PIECES_MAX} words");
                self.diagnostics.push(Diagnostic::error(Code::Limit, span, message));
            }
            return;
        }
        for token in lex(text, Comments::Stripped) {
            let Some(span) = glyph::span(token.glyphs) else { continue };
            if !token.closed {
                self.unbalanced(&token, span);
            }
            let quoting = match token.kind {
                TokenKind::Blank | TokenKind::Comment => continue,
                TokenKind::Open => {
                    self.pieces.push(Piece::Open(span));
                    continue;
                }
                TokenKind::Close => {
                    self.pieces.push(Piece::Close(span));
                    continue;
                }
                TokenKind::Bare => Quoting::Bare,
                TokenKind::Double => Quoting::Double,
                TokenKind::Single => Quoting::Single,
            };
            let definition = glyph::definition(token.glyphs);
            let text = glyph::text(token.content());
            self.pieces.push(Piece::Word(Word { text, span, definition, quoting }));
        }
        self.pieces.push(Piece::Line);
    }

    fn unbalanced(&mut self, token: &Token<'_>, span: Span) {
        let quote = token.glyphs.first().map_or('"', |glyph| glyph.char);
        let message = format!("this {quote} has no partner on its line");
        self.diagnostics.push(
            Diagnostic::warning(Code::UnbalancedQuote, span, message)
                .label("taken to the end of the line")
                .hint(format!("write {quote} at the end of the text"))
                .class(Class::Error),
        );
    }
}

fn is_definition(text: &[Glyph]) -> bool {
    let Some(rest) = glyph::strip(text, "$") else { return false };
    let (name, tail) = glyph::split(rest, |char| !is_name(char));
    let begins = name.first().is_some_and(|first| !first.char.is_ascii_digit());
    begins && tail.first().is_some_and(|next| next.char == '=')
}

fn pop_backslash(glyphs: &mut Vec<Glyph>) -> bool {
    let goes_on = glyphs.last().is_some_and(|last| last.char == '\\');
    if goes_on {
        glyphs.pop();
    }
    goes_on
}
