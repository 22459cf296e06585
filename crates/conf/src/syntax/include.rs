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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checks {
    /// A file that matches and cannot be read.
    read: bool,
    /// A plain name that matches nothing.
    plain: bool,
    /// A wildcard that matches nothing.
    wildcard: bool,
    /// An alternative of `{a,b}` that matches nothing.
    alternatives: bool,
}

impl Checks {
    pub(crate) const ALL: Self =
        Self { read: true, plain: true, wildcard: true, alternatives: true };

    /// Those of a keyword, each with all that the keyword before it has.
    fn of(keyword: &str) -> Option<Self> {
        let none = Self::default();
        let read = Self { read: true, ..none };
        let plain = Self { plain: true, ..read };
        let wildcard = Self { wildcard: true, ..plain };
        Some(match keyword {
            "include" => none,
            "includer" => read,
            "includem" => plain,
            "includew" => wildcard,
            "includeb" | "includea" => Self::ALL,
            _ => return None,
        })
    }

    fn and(self, other: Self) -> Self {
        Self {
            read: self.read || other.read,
            plain: self.plain || other.plain,
            wildcard: self.wildcard || other.wildcard,
            alternatives: self.alternatives || other.alternatives,
        }
    }

    /// What `include_check` makes of them: no word means all, plain words these alone, `+` and
    /// `-` add and remove.
    pub(crate) fn changed(self, words: &[String]) -> Self {
        if words.is_empty() {
            return Self::ALL;
        }
        let plain = |word: &String| !word.starts_with(['+', '-']);
        let mut checks = if words.iter().any(plain) { Self::default() } else { self };
        for word in words {
            let on = !word.starts_with('-');
            match word.trim_start_matches(['+', '-']) {
                "read" => checks.read = on,
                "match" => checks.plain = on,
                "wildcard_match" => checks.wildcard = on,
                "brace_match" => checks.alternatives = on,
                _ => {}
            }
        }
        checks
    }
}

/// An include directive.
pub(crate) struct Include<'a> {
    checks: Checks,
    /// The pattern, without quotes.
    pub(crate) pattern: &'a [Glyph],
}

/// The directive in a line that has no comment any more.
pub(crate) fn include(line: &[Glyph]) -> Option<Include<'_>> {
    let (keyword, rest) = glyph::split(line, glyph::is_blank);
    let checks = Checks::of(&glyph::text(keyword))?;
    let rest = glyph::trim(rest);
    let quoted = lex(rest, Comments::Stripped)
        .next()
        .filter(|token| token.kind == TokenKind::Double && token.closed);
    let pattern = match quoted {
        Some(token) => rest.get(token.content()).unwrap_or_default(),
        None => rest,
    };
    (!pattern.is_empty()).then_some(Include { checks, pattern })
}

/// The words of an `include_check` line.
pub(crate) fn check_words(line: &[Glyph]) -> Option<Vec<String>> {
    let (keyword, rest) = glyph::split(line, glyph::is_blank);
    let is_check = glyph::text(keyword) == "include_check";
    is_check.then(|| glyph::text(rest).split_whitespace().map(str::to_owned).collect())
}

/// The number of a `random_seed` line.
pub(crate) fn seed(line: &[Glyph]) -> Option<u64> {
    let (keyword, rest) = glyph::split(line, glyph::is_blank);
    let is_seed = glyph::text(keyword) == "random_seed";
    is_seed.then(|| glyph::text(rest).trim().parse().ok()).flatten()
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
        let checks = self.checks.and(include.checks);
        for pattern in patterns {
            let paths = match self.files.glob(&pattern, &self.directory()) {
                Ok(paths) => paths,
                Err(error) => {
                    let message = format!("`{pattern}` is no file pattern: {error}");
                    self.findings.push(Diagnostic::warning(Code::IncludeMissing, span, message));
                    continue;
                }
            };
            let (fatal, said) = match (several, is_wildcard(&pattern)) {
                (true, _) => (checks.alternatives, checks.alternatives),
                (false, true) => (checks.wildcard, checks.wildcard),
                (false, false) => (checks.plain, true),
            };
            if paths.is_empty() && said {
                self.include_missing(&pattern, span, fatal);
            }
            for path in paths {
                found_any = true;
                self.include_file(path, span, checks);
            }
        }
        if several && !found_any && !checks.alternatives {
            self.include_missing(&pattern, span, checks.plain);
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

    fn include_file(&mut self, path: PathBuf, span: Span, checks: Checks) {
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
                let outside = self.checks;
                self.file(path, bytes);
                // What a file says about its includes ends with it.
                self.checks = outside;
            }
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                let mut found = Diagnostic::warning(Code::Unreadable, span, message);
                if checks.read {
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
