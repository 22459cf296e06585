//! `include` and its stricter variants.

use super::{
    glyph::{self, Glyph},
    lex::{Comments, TokenKind, lex},
};

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
        .first()
        .filter(|token| token.kind == TokenKind::Double && token.closed)
        .map(|token| token.glyphs.len());
    let pattern = match quoted {
        Some(len) => rest.get(1..len - 1).unwrap_or_default(),
        None => rest,
    };
    (!pattern.is_empty()).then_some(Include { strictness, pattern })
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
