//! `include` and its stricter variants.

use std::path::{Path, PathBuf};

use super::{
    glyph::{self, Glyph},
    lex::{Comments, TokenKind, lex},
    read::{BYTES_MAX, Reader},
};
use crate::{Code, Diagnostic, diagnostic::Class, source::Span};

/// Includes inside includes.
const DEPTH_MAX: usize = 32;
/// Files that one configuration may have.
const FILES_MAX: usize = 4096;
/// Patterns that one configuration may look for.
const PATTERNS_MAX: usize = 4 * FILES_MAX;
/// The longest path that Linux knows, in bytes.
const PATTERN_MAX: usize = 4096;

/// Alternatives that one pattern may have.
const ALTERNATIVES_MAX: usize = 256;

/// Which failures of an include are mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strictness {
    /// `include`
    Lenient,
    /// `includer`: a file that matches and cannot be read.
    Read,
    /// `includem`: and a plain name that matches nothing.
    Match,
    /// `includew`: and a wildcard that matches nothing.
    Wildcard,
    /// `includeb`, `includea`: and each alternative of `{a,b}` that matches nothing.
    Alternatives,
}

/// An include directive.
pub(crate) struct Include<'a> {
    pub(crate) strictness: Strictness,
    /// The pattern, without quotes.
    pub(crate) pattern: &'a [Glyph],
}

/// The directive in a line that has no comment any more.
pub(crate) fn include(line: &[Glyph]) -> Option<Include<'_>> {
    let (keyword, rest) = glyph::split(line, glyph::is_blank);
    let strictness = match glyph::text(keyword).as_str() {
        "include" => Strictness::Lenient,
        "includer" => Strictness::Read,
        "includem" => Strictness::Match,
        "includew" => Strictness::Wildcard,
        "includeb" | "includea" => Strictness::Alternatives,
        _ => return None,
    };
    let rest = glyph::trim(rest);
    let quoted = lex(rest, Comments::Stripped)
        .next()
        .filter(|token| token.kind == TokenKind::Double && token.closed);
    let pattern = match quoted {
        Some(token) => rest.get(token.content()).unwrap_or_default(),
        None => rest,
    };
    (!pattern.is_empty()).then_some(Include { strictness, pattern })
}

impl Reader<'_> {
    pub(crate) fn directory(&self) -> PathBuf {
        self.open.last().and_then(|path| path.parent()).map(Path::to_path_buf).unwrap_or_default()
    }

    pub(crate) fn include(&mut self, include: &Include<'_>) {
        let Some(span) = glyph::span(include.pattern) else { return };
        if self.open.len() > DEPTH_MAX {
            let message = format!("includes are nested deeper than {DEPTH_MAX}");
            self.findings.push(Diagnostic::warning(Code::Limit, span, message));
            return;
        }
        let pattern = glyph::text(include.pattern);
        if pattern.len() > PATTERN_MAX {
            let message = format!("a path has no more than {PATTERN_MAX} bytes");
            self.findings.push(Diagnostic::warning(Code::Limit, span, message));
            return;
        }
        let patterns = alternatives(&pattern);
        let several = patterns.len() > 1;
        let mut found_any = false;
        self.patterns += patterns.len();
        if self.patterns > PATTERNS_MAX {
            let message = format!("more than {PATTERNS_MAX} patterns are included");
            self.findings.push(Diagnostic::warning(Code::Limit, span, message));
            return;
        }
        for pattern in patterns {
            let paths = match self.files.glob(&pattern, &self.directory()) {
                Ok(paths) => paths,
                Err(error) => {
                    let message = format!("`{pattern}` is no file pattern: {error}");
                    self.findings.push(Diagnostic::warning(Code::IncludeMissing, span, message));
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
        self.findings.push(found);
    }

    fn include_file(&mut self, path: PathBuf, span: Span, strictness: Strictness) {
        if self.open.contains(&path) {
            let message = format!("{} includes itself", path.display());
            self.findings.push(Diagnostic::warning(Code::IncludeCycle, span, message));
            return;
        }
        if self.sources.len() >= FILES_MAX || self.scope.written > BYTES_MAX {
            let message = format!("{} is skipped: too many or too large files", path.display());
            self.findings.push(Diagnostic::warning(Code::Limit, span, message));
            return;
        }
        match self.files.read(&path) {
            Ok(bytes) => {
                self.builder.end_statement();
                self.file(path, bytes);
            }
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                let mut found = Diagnostic::warning(Code::Unreadable, span, message);
                if strictness >= Strictness::Read {
                    found = found.class(Class::Fatal);
                }
                self.findings.push(found);
            }
        }
    }
}

/// The patterns that `{a,b}` stands for, at most 256 of them.
pub(crate) fn alternatives(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut todo = vec![pattern.to_owned()];
    while let Some(pattern) = todo.pop() {
        if done.len() + todo.len() >= ALTERNATIVES_MAX {
            done.push(pattern);
            continue;
        }
        match split_braces(&pattern) {
            Some((before, choices, after)) => {
                todo.extend(choices.iter().rev().map(|choice| format!("{before}{choice}{after}")))
            }
            None => done.push(pattern),
        }
    }
    done
}

/// The first braces that hold no braces themselves: before, the choices, after.
fn split_braces(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    let close = pattern.find('}')?;
    let open = pattern.get(..close)?.rfind('{')?;
    let choices = pattern.get(open + 1..close)?.split(',').collect();
    Some((pattern.get(..open)?, choices, pattern.get(close + 1..)?))
}

/// Whether the pattern asks for any file rather than a certain one.
pub(crate) fn is_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}
