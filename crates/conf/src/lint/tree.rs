//! What lints ask of statements.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use crate::{Code, Diagnostic, Span, Statement, Word, lower::value};

/// The keyword's text.
pub(super) fn name(statement: &Statement) -> &str {
    statement.keyword().map_or("", |word| word.text.as_str())
}

/// Whether it is a statement of this keyword.
pub(super) fn is(statement: &Statement, keyword: &str) -> bool {
    name(statement) == keyword
}

/// The word behind the keyword.
pub(super) fn value(statement: &Statement) -> Option<&Word> {
    statement.parameters().first()
}

/// All its words.
pub(super) fn span(statement: &Statement) -> Option<Span> {
    let (first, last) = (statement.words.first()?, statement.words.last()?);
    Some(first.span.to(last.span))
}

/// The last statement with one of these keywords, which is the one that counts.
pub(super) fn last<'s, L>(lines: L, keywords: &[&str]) -> Option<&'s Statement>
where
    L: IntoIterator<Item = &'s Statement, IntoIter: DoubleEndedIterator>,
{
    lines.into_iter().rev().find(|line| keywords.contains(&name(line)))
}

/// Whether a flag's line turns it on.
pub(super) fn is_on(flag: &Statement) -> bool {
    value(flag).is_none_or(|word| value::boolean(&word.text) != Some(false))
}

/// A whole number.
pub(super) fn number(word: &Word) -> Option<u64> {
    word.text.parse().ok()
}

/// A time in seconds.
pub(super) fn seconds(word: &Word) -> Option<Duration> {
    // Nearly all are whole seconds, and there may be very many.
    match word.text.parse::<u32>() {
        Ok(whole) => Some(Duration::from_secs(whole.into())),
        Err(_) => value::micros(&word.text).ok().map(Duration::from_micros),
    }
}

/// Findings in one block: what many of its parts share is said once, at the first.
#[derive(Default)]
pub(super) struct Tally<'w>(BTreeMap<(Code, &'w str), Shared>);

/// A finding, and how many more there are like it.
struct Shared {
    first: Diagnostic,
    more: usize,
}

impl<'w> Tally<'w> {
    /// Counts a finding; findings of the same code and about the same thing are one.
    pub(super) fn add(
        &mut self,
        code: Code,
        what: &'w str,
        found: impl FnOnce() -> Option<Diagnostic>,
    ) {
        match self.0.entry((code, what)) {
            Entry::Occupied(mut shared) => shared.get_mut().more += 1,
            Entry::Vacant(place) => {
                if let Some(first) = found() {
                    place.insert(Shared { first, more: 0 });
                }
            }
        }
    }

    /// Everything found, and how much more like it the block has.
    pub(super) fn finish(self, block: &str, diagnostics: &mut Vec<Diagnostic>) {
        for Shared { first, more } in self.0.into_values() {
            diagnostics.push(match more {
                0 => first,
                1 => first.label(format!("and once more in this {block}")),
                more => first.label(format!("and {more} times more in this {block}")),
            });
        }
    }
}
